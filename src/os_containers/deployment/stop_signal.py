"""The signal that ends a container, as its image asks for it; pure."""

import re
import signal

from os_containers.errors import AUTHOR, ImageError
from os_containers.image.manifest import ContainerConfig

_DEFAULT = "SIGTERM"
# OCI image-spec, config, StopSignal: SIGNAME, SIGRTMIN+n, or a number
_NAMES = "|".join(one.name.removeprefix("SIG") for one in signal.Signals)
_SIGNAL = re.compile(rf"(?:SIG)?(?:{_NAMES}|RTMIN\+[0-9]{{1,2}})|[1-9]|[1-5][0-9]|6[0-4]")


def stop_signal(wanted: ContainerConfig) -> str:
    """Return the signal by name or number. Raises ImageError for one that is none."""
    name = wanted.stop_signal or _DEFAULT
    if not _SIGNAL.fullmatch(name):
        raise ImageError(f"the image's stop signal {name!a} is not a signal", hint=AUTHOR)
    return name
