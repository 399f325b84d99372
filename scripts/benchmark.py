"""Measure what the project claims about itself; --help teaches."""

from facenet_demo.system.commands import benchmark

if __name__ == "__main__":
    raise SystemExit(benchmark())
