"""Why a sign-in may fail on this machine, and what to do about it."""
