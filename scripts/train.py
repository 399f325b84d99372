"""Train a face network; --help teaches."""

from facenet_demo.system.commands import train

if __name__ == "__main__":
    raise SystemExit(train())
