"""What a network is trained for: LightningModules, which only wire things together."""
