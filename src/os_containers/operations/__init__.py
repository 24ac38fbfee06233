"""Stage 5: the story. One verb per file, each reads stage by stage from top to bottom."""
