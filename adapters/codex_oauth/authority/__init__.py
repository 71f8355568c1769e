"""An authorization server of our own that speaks the Codex dialect: for demos and tests, on loopback only."""
