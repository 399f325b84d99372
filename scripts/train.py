"""Train a face network; --help teaches."""

from facenet_demo.system.start import start

if __name__ == "__main__":
    raise SystemExit(start("facenet_demo.training.cli"))
