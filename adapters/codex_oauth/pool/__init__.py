"""Many sign-ins at once: one task that waits for all of them, and a bounded number of requests."""
