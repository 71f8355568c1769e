"""The port on this machine that the browser comes back to."""
