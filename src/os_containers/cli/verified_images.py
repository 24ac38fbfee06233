"""What was found out about images, for people, and the exit code that says the worst of it."""

from collections.abc import Sequence

from os_containers.cli import render
from os_containers.cli.failure import advise, warn
from os_containers.cli.listed_images import NONE
from os_containers.errors import BrokenError, RegistryError
from os_containers.operations.verify_images import Latest, VerifiedImage

# beside those of errors.py: it is none
NEWER = 12


def exit_code(verified: Sequence[VerifiedImage]) -> int:
    """Return 0 when all is well."""
    if any(one.intact is False for one in verified):
        return BrokenError.exit_code
    if faults := [one.exit_code for one in verified if one.exit_code]:
        return faults[0]
    states = {one.latest for one in verified}
    if states & {Latest.FAILED, Latest.GONE}:
        return RegistryError.exit_code
    return NEWER if Latest.NEWER in states else 0


def show_verified(verified: Sequence[VerifiedImage]) -> None:
    """Print images in a table, and on stderr what is to be done about them."""
    rows = [
        (one.name or NONE, render.short_id(one.digest or ""), _intact(one), _latest(one)) for one in verified
    ]
    render.table(("IMAGE", "IMAGE ID", "FILES", "REGISTRY"), rows)
    for one in verified:
        for fact in filter(None, (one.damage, one.problem, one.fault)):
            warn(f"{one.name or render.short_id(one.digest or '')}: {fact}")
    if any(one.intact is False for one in verified):
        advise("to fetch the damaged parts again: os-containers repair")
    if newer := [one.name for one in verified if one.latest is Latest.NEWER]:
        advise(f"os-containers pull {newer[0]}, or update --pull CONTAINER")


def _intact(verified: VerifiedImage) -> str:
    match verified.intact:
        case None:
            return "not read"
        case True:
            return "intact"
        case False:
            return "damaged"


def _latest(verified: VerifiedImage) -> str:
    if verified.latest is Latest.NEWER:
        return f"newer: {render.short_id(verified.remote or '')}"
    return verified.latest
