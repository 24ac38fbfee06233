"""The one door to GObject: imports OSTree, and turns what it raises into our errors."""

import contextlib
from collections.abc import Iterator

from os_containers.errors import BrokenError, BusyError, OsContainersError, SystemFaultError
from os_containers.faults import next_step_in

try:
    import gi  # noqa: TID251 - this is the door

    gi.require_version("OSTree", "1.0")
    from gi.repository import Gio, GLib, OSTree  # noqa: TID251 - this is the door
except (ImportError, ValueError) as error:
    raise SystemFaultError(
        f"the OSTree library cannot be loaded: {error}",
        hint="install the packages python3-gi and gir1.2-ostree-1.0",
    ) from error

__all__ = ["GLib", "Gio", "OSTree", "translate_errors"]

# libostree reports its own reserve (min-free-space-percent) as a plain failure with this text.
_RESERVE = "min-free-space"


@contextlib.contextmanager
def translate_errors(doing: str) -> Iterator[None]:
    """Raise what libostree raises as one of our errors, which reads "cannot DOING: ..."."""
    try:
        yield
    except GLib.Error as error:
        raise _translated(error, f"cannot {doing}: {error.message}") from error
    except RuntimeError as error:
        # PyGObject says so for text that is not UTF-8 and for arguments that it cannot convert.
        raise BrokenError(f"cannot {doing}: {error}") from error


def _translated(error: GLib.Error, message: str) -> OsContainersError:
    if error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.NO_SPACE) or _RESERVE in str(error.message):
        return SystemFaultError(message, hint="free some space: os-containers images prune")
    if error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.WOULD_BLOCK):
        return BusyError(message, hint="wait for the other command to end")
    if error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.NOT_FOUND):
        return BrokenError(message, hint="pull the image again")
    return SystemFaultError(message, hint=next_step_in(message))
