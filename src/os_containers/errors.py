"""Every error that a caller can catch, as one tree; each class has a stable exit code.

    OsContainersError         1  an internal error
    ├── UsageError            2  wrong usage: an invalid name, value or option, or a value is missing
    ├── NotFoundError         3  no such container, image or deployment
    ├── ImageError            4  the image is malformed or fails verification
    │   └── LimitError           it exceeds a limit
    ├── PolicyError           5  a policy does not allow it
    ├── ConflictError         6  a conflict: a name is taken, an image is in use, something is in the way
    ├── BusyError             7  another command holds the lock
    ├── SystemFaultError      8  a fault of the host: a full disk, a read-only file system, a missing program
    │   └── ProcessError         a program that we called failed
    ├── ServiceError          9  the service did not start; after a change, the previous state is restored
    ├── BrokenError          10  something on the host is damaged or needs attention: check says what
    ├── RegistryError        11  the registry or the network failed
    └── CommandError        126  the command could not be run in the container
        └── NoCommandError  127  the command does not exist in the container

The message is one line of fact; the hint is one line of what to do next. next_step is what there is to do
when an error of this kind has no hint of its own.
"""

from collections.abc import Sequence

# what to do next about an image that pulling it again does not fix
AUTHOR = "ask the image's author to fix it"


class OsContainersError(Exception):
    """Base of all errors; catch it to catch them all."""

    exit_code = 1
    next_step = "run it again with --debug to see where it comes from"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(OsContainersError):
    exit_code = 2
    next_step = "see os-containers --help"


class NotFoundError(OsContainersError):
    exit_code = 3
    next_step = "see os-containers containers list --all, or os-containers images list"


class ImageError(OsContainersError):
    exit_code = 4
    next_step = "pull the image again; if that does not help, ask its author to fix it"


class LimitError(ImageError):
    """An image exceeds a limit; limit is the key in config.toml that sets it."""

    next_step = f"{AUTHOR}; for an image that you trust, raise the limit: [limits] in os-containers-config(5)"

    def __init__(self, message: str, *, limit: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.limit = limit


class PolicyError(OsContainersError):
    exit_code = 5
    next_step = "see /etc/os-containers/policy.toml and /etc/containers/policy.json"


class ConflictError(OsContainersError):
    exit_code = 6
    next_step = "move it away"


class BusyError(OsContainersError):
    exit_code = 7
    next_step = "wait for the other command to end"


class SystemFaultError(OsContainersError):
    exit_code = 8
    next_step = "fix what is named here, and try again; --verbose shows which programs are run"


class ProcessError(SystemFaultError):
    """A program ended with an exit code other than 0; its last words are in stderr."""

    def __init__(self, argv: Sequence[str], returncode: int, stderr: str) -> None:
        said = stderr.strip().splitlines()
        super().__init__(
            f"{' '.join(argv)}: exit code {returncode}" + (f": {said[-1]}" if said else ""),
        )
        self.argv = list(argv)
        self.returncode = returncode
        self.stderr = stderr


class ProgramTimeoutError(SystemFaultError):
    """A program took too long."""


class ServiceError(OsContainersError):
    exit_code = 9
    next_step = "journalctl --unit=NAME shows what the service logged"


class BrokenError(OsContainersError):
    exit_code = 10
    next_step = "os-containers check says what is wrong, os-containers repair fixes it"


class RegistryError(OsContainersError):
    exit_code = 11
    next_step = "try again, or check the network and the name of the image"


class CommandError(OsContainersError):
    exit_code = 126
    next_step = "it and its interpreter must be executable files"


class NoCommandError(CommandError):
    exit_code = 127
    next_step = "give its path inside the container"
