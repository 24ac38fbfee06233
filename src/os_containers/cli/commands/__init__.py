"""One module a command: parse, one call, render. Loaded only when the command is used."""
