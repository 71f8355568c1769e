"""Worlds perform effects: a driver is a world and a four-line loop."""
