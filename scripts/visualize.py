"""Show and measure what a network learned; --help teaches."""

from facenet_demo.visualize.command import main

if __name__ == "__main__":
    raise SystemExit(main())
