"""Trains a network, and fills a run folder."""
