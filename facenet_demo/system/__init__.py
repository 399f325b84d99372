"""The ground: files, terminal, threads, exits, texts."""
