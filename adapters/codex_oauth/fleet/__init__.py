"""Logins and sign-ins that many machines share, in PostgreSQL. Needs the extra `postgres`."""
