"""What runs inside the host: Python's standard library and the programs of the host."""
