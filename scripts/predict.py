"""Name the people in photos and videos; --help teaches."""

from facenet_demo.predict.command import main

if __name__ == "__main__":
    raise SystemExit(main())
