"""For tests of code that signs in: a world in virtual time."""
