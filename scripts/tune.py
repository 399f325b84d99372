"""Search hyperparameters; --help teaches."""

from facenet_demo.system.commands import tune

if __name__ == "__main__":
    raise SystemExit(tune())
