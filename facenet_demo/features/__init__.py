"""What layers and units respond to: plain PyTorch, for any `nn.Module`."""
