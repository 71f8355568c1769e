"""A stub of the model backends: what the Codex backend and the public API demand, refuse and stream."""
