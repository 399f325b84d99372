"""Show and measure what a network learned; --help teaches."""

from facenet_demo.system.commands import visualize

if __name__ == "__main__":
    raise SystemExit(visualize())
