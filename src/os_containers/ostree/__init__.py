"""Stage 2: what we keep. Layers become commits, a merged commit becomes a rootfs."""
