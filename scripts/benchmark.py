"""Measure what the project claims about itself; --help teaches."""

from facenet_demo.benchmarks.command import main

if __name__ == "__main__":
    raise SystemExit(main())
