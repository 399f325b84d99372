"""Each thing a network can be trained for."""
