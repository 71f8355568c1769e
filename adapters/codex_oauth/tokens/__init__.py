"""Using a stored login: a token that is always good, headers for it, and auth for HTTP clients."""
