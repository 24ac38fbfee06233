"""What a machine under test tells on its console, and what its next boot may find."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from testhost.powercut_guest import MARK, STOPPED

# Disk and file system must be sound, or nothing else counts.
OF_THE_KERNEL = (
    "EXT4-fs error",
    "XFS (vda): Corruption",
    "XFS (vda): Internal error",
    "I/O error",
    "Kernel panic",
)


@dataclass(slots=True)
class Story:
    """What is known so far; allowed are the states that may be found after a power cut now."""

    allowed: frozenset[str]
    doing: str = "boot"
    checked: bool = False
    found: str = ""
    operations: int = 0
    recovery: float = 0
    boot: float = 0
    problems: list[str] = field(default_factory=list)

    def hear(self, line: str) -> None:
        """Go on with the story after a line of the console."""
        if any(words in line for words in OF_THE_KERNEL):
            self.problems.append(line)
        _, mark, told = line.partition(f"{MARK} {{")
        if mark:
            self._hear_event(json.loads("{" + told))

    def _hear_event(self, told: Mapping[str, Any]) -> None:
        if told["event"] == "checked":
            self._hear_check(told)
        elif told["event"] == "begin":
            self.doing = told["command"]
            # an interrupted install that the boot has finished is as new: not started
            self.allowed = _after_boot(told["before"], told["target"]) | {told["target"]}
        else:
            self._hear_end(told)

    def _hear_check(self, told: Mapping[str, Any]) -> None:
        self.checked, self.doing = True, "nothing"
        self.found, self.recovery, self.boot = told["state"], told["recovery"], told["booted"]
        if self.found not in self.allowed:
            self.problems.append(f"state {self.found}, not one of {', '.join(sorted(self.allowed))}")
        self.problems += told["problems"]
        self.allowed = _after_boot(self.found)

    def _hear_end(self, told: Mapping[str, Any]) -> None:
        self.operations += 1
        if told["code"] != 0:
            self.problems.append(f"{self.doing}: exit code {told['code']}: {told['said']}")
        elif told["state"] != told["target"]:
            self.problems.append(f"{self.doing}: state {told['state']}, not {told['target']}")
        self.doing, self.allowed = "nothing", _after_boot(told["state"])


def _after_boot(*states: str) -> frozenset[str]:
    # an installed service is enabled, so it runs after the next boot
    return frozenset(state.removesuffix(STOPPED) for state in states)
