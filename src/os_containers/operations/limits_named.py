"""Who sets a limit that an image exceeds: what the administrator has set, no author can change."""

import contextlib
from collections.abc import Iterator

from os_containers.errors import LimitError
from os_containers.operations.system import System


@contextlib.contextmanager
def limits_named(system: System) -> Iterator[None]:
    """Let the hint of an error about a limit name the file that sets it."""
    try:
        yield
    except LimitError as error:
        file = system.config.origins.get(f"limits.{error.limit}")
        if not file:
            raise
        hint = f"{file} sets this limit: raise {error.limit} under [limits] there, or use a smaller image"
        raise LimitError(error.message, limit=error.limit, hint=hint) from error
