"""What the project claims about itself, measured; one module for each kind of claim."""
