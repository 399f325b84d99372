"""Name the people in photos and videos; --help teaches."""

from facenet_demo.system.commands import predict

if __name__ == "__main__":
    raise SystemExit(predict())
