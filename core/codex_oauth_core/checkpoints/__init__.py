"""Checkpoints: a sign-in as a plain mapping, so that another process can go on with it."""
