"""Arrays and names -> pictures."""
