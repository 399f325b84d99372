"""Write a trained network as an ONNX file; --help teaches."""

from facenet_demo.system.commands import export

if __name__ == "__main__":
    raise SystemExit(export())
