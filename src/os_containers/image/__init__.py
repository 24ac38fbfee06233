"""Stage 1: what a registry gives. Knows OCI, not OSTree."""
