"""Readers of hostile text: JSON bodies, JWTs, times and numbers. None of them ever raises for its input."""
