"""The operations on a container of an image, and on the store beside it."""

from torture.inside.command import must
from torture.inside.operation import CARGO, Operation, latest_of, other_version, tag, untag_cargo
from torture.inside.snapshot import STATE


def operations(container: str = "torture") -> dict[str, Operation]:
    """Return the operations on a container, which is named after its image."""
    listed = (
        Operation(
            "install",
            container,
            ("install", latest_of(container), "--name", container),
            lambda: _absent(container),
        ),
        Operation("update", container, ("update", container), lambda: _outdated(container)),
        Operation("rollback", container, ("rollback", container), lambda: _with_previous(container)),
        Operation("uninstall", container, ("uninstall", container), lambda: _running(container)),
        Operation("pull", container, ("pull", "--insecure", CARGO), lambda: _not_pulled(container)),
        Operation("prune", container, ("images", "prune"), lambda: _with_garbage(container)),
    )
    return {operation.name: operation for operation in listed}


def _absent(container: str) -> None:
    if (STATE / container).is_symlink():
        must("systemctl", "stop", container)
        must("os-containers", "uninstall", container)
    tag(container, "1")


def _running(container: str) -> None:
    if not (STATE / container).is_symlink():
        tag(container, "1")
        must("os-containers", "install", latest_of(container), "--name", container)
    must("systemctl", "start", container)


def _with_previous(container: str) -> None:
    if len(list((STATE / ".deploy" / container).glob("[0-9]*"))) < 2:  # noqa: PLR2004 - one and the one before
        _outdated(container)
        must("os-containers", "update", container)
    must("systemctl", "start", container)


def _outdated(container: str) -> None:
    _running(container)
    tag(container, other_version(container))


def _not_pulled(container: str) -> None:
    _running(container)
    if untag_cargo():
        must("os-containers", "images", "prune")


def _with_garbage(container: str) -> None:
    _running(container)
    must("os-containers", "pull", "--insecure", CARGO)
    untag_cargo()
