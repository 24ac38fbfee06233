"""How much a registry may make us read; every number bounds something that an image decides."""

from dataclasses import dataclass

KiB = 1024
MiB = 1024 * KiB
GiB = 1024 * MiB


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one image; sizes are in bytes, times in seconds, and the bounds themselves are allowed."""

    # Of a manifest, an index or an image config.
    json_size: int = 4 * MiB
    json_depth: int = 100
    layers: int = 500
    layer_size: int = 64 * GiB
    # A layer may grow to ratio times what was received, once it is larger than ratio_from.
    ratio: int = 2000
    ratio_from: int = 64 * MiB
    entries: int = 2_000_000
    extended_header: int = MiB
    path: int = 4095
    component: int = 255
    xattr_value: int = 64 * KiB
    xattrs: int = 100
    # Of the image proxy's answer to one request.
    reply_size: int = 32 * KiB
    # Seconds in which nothing arrives from a registry.
    no_progress: float = 60.0
    # How often is tried again what may yet succeed; after this pause, then after four times as long, ...
    retries: int = 3
    retry_pause: float = 1.0


DEFAULT_LIMITS = Limits()
