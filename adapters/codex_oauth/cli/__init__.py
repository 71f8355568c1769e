"""The command line, `codex-oauth`: `login`, `authority`, and `stored` (status, token, logout)."""
