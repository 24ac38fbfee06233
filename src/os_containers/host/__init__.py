"""Stage 4: what we change outside our own directories. Everything here can be undone."""
