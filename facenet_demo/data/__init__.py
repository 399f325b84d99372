"""From photos to batches and targets."""
