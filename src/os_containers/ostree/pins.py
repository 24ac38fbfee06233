"""Pins: the refs that keep the commits of deployments from prune, ours and those of other states."""

from os_containers.ostree import refs
from os_containers.ostree.ref_files import RefFiles


class Pins:
    """The pins in a repo; top is beneath which name ours are."""

    def __init__(self, files: RefFiles, top: str) -> None:
        self._files = files
        self._top = top

    def add(self, container: str, serial: int, commit: str) -> None:
        """Keep the commit of a deployment from prune, durably."""
        self._files.write({self.ref(container, serial): commit})

    def remove(self, container: str, serial: int) -> None:
        """Let prune have the commit of a deployment; a pin that is not there is fine."""
        self._files.remove([self.ref(container, serial)])
        self._files.remove_directory(f"{self._top}/{container}")

    def ref(self, container: str, serial: int) -> str:
        """Return the ref of a pin of ours."""
        return refs.pin_ref(container, serial, pins=self._top)

    def take_over(self, container: str, serial: int, commit: str) -> None:
        """Have a pin of our own for what is pinned as if the repo were in our state.

        That was so once; the old one may be another state's, and stays.
        """
        ref = self.ref(container, serial)
        if self._files.find(ref) is None and self._files.find(refs.pin_ref(container, serial)) == commit:
            self.add(container, serial, commit)

    def names(self) -> list[tuple[str, int]]:
        """Return container and serial of all pins of ours; their commits are not looked at."""
        found = map(refs.find_pin, self._files.names(self._top, levels=2))
        return [pin for pin in found if pin]

    def of(self, container: str) -> list[int]:
        """Return which deployments of a container are pinned; their commits are not looked at."""
        return [serial for name, serial in self.names() if name == container]

    def commits(self) -> dict[tuple[str, int], str]:
        """Return the commits of our pins by container and serial. Raises BrokenError for a damaged one."""
        found = self._files.names(self._top, levels=2)
        return {refs.parse_pin(ref): self._files.require(ref) for ref in found}

    def readable(self) -> dict[tuple[str, int], str]:
        """Return the same without those that are damaged."""
        found = {pin: self._files.find(self.ref(*pin)) for pin in self.names()}
        return {pin: commit for pin, commit in found.items() if commit}

    def of_others(self) -> dict[str, str]:
        """Return the commits that other states have pinned in this repo, by ref; no damaged ones."""
        others = (ref for ref in self.all_refs() if not ref.startswith(f"{self._top}/"))
        found = {ref: self._files.find(ref) for ref in others}
        return {ref: commit for ref, commit in found.items() if commit}

    def strays(self) -> list[str]:
        """Return what is among the pins, and none."""
        return [ref for ref in self.all_refs() if not refs.find_pin(ref)]

    def all_refs(self) -> list[str]:
        """Return the refs among which are the pins, those of other states too."""
        return [ref for top, levels in refs.ALL_PINS.items() for ref in self._files.names(top, levels=levels)]
