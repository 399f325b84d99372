"""Train a face CNN, see what its layers learn, and measure it."""

__version__ = "0.1.0"
