"""Train a face network; --help teaches."""

from facenet_demo.training import main

if __name__ == "__main__":
    raise SystemExit(main())
