"""Write a trained network as an ONNX file; --help teaches."""

from facenet_demo.predict.export import main

if __name__ == "__main__":
    raise SystemExit(main())
