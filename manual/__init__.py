"""What explains the program where it is not running: man pages, completions and schemas for packages.

    python3 -m manual man build/man                     the pages of the commands, and those of docs/*.5.rst
    python3 -m manual completions build/completions     bash, zsh and fish
    python3 -m manual schemas build/schemas             of what --json prints

All of it is made of the command line itself, so nothing here is checked in and nothing can lag behind.
"""
