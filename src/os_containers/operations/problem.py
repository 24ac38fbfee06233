"""Problem: an invariant that does not hold, in words; the numbers are those of docs/RELIABILITY.md."""

from dataclasses import dataclass

REPAIR = "os-containers repair fixes it"
PULL_FIRST = (
    "pull it again from where it came from (os-containers pull oci:DIRECTORY), then: os-containers repair"
)
MOVE_AWAY = "move it away, then: os-containers repair"


@dataclass(frozen=True, slots=True)
class Problem:
    """An invariant that does not hold: what is wrong, where, and what to do."""

    invariant: str
    what: str
    where: str
    hint: str
