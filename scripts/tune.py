"""Search hyperparameters; --help teaches."""

from facenet_demo.search import main

if __name__ == "__main__":
    raise SystemExit(main())
