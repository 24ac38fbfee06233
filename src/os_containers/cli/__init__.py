"""Stage 6: the command line: parse, one call, render."""
