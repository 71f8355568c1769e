"""The state machines: each has a table of its moves and a class that decides which move an event means."""
