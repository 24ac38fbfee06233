"""A host in a directory, and deployments that put files into it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from os_containers.deployment.host_tree import load_host_tree
from os_containers.deployment.record import InstalledFile
from os_containers.events import Event, Step, Warned
from os_containers.host.host_root import HostRoot
from os_containers.host.hostfiles import HostPlan, plan_host_files
from os_containers.host.prepared_files import apply_host_files, prepare_host_files
from os_containers.selinux import NO_LABELS, Labels


@dataclass
class Host:
    """A directory that plays the host's root."""

    root: Path
    trees: Path
    events: list[Event] = field(default_factory=list)
    labels: Labels = NO_LABELS

    @property
    def host_root(self) -> HostRoot:
        return HostRoot(self.root, labels=self.labels)

    def go(
        self,
        leaving: tuple[InstalledFile, ...],
        files: Mapping[str, str],
        owners: Mapping[str, str] | None = None,
    ) -> HostPlan:
        """Let a deployment with these files enter; "-> x" is a symlink to x."""
        plan = self.plan(leaving, files, owners)
        self.apply(plan)
        return plan

    def plan(
        self,
        leaving: tuple[InstalledFile, ...],
        files: Mapping[str, str],
        owners: Mapping[str, str] | None = None,
        shared: Collection[str] = (),
    ) -> HostPlan:
        tree = self.tree(files)
        return plan_host_files(
            leaving,
            load_host_tree(tree),
            owners=owners or {},
            shared=shared,
            root=self.host_root,
        )

    def tree(self, files: Mapping[str, str]) -> Path:
        """Return a host tree as a deployment renders it."""
        tree = self.trees / str(len(list(self.trees.iterdir())))
        tree.mkdir()
        for path, text in files.items():
            rendered = tree / path
            rendered.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("-> "):
                rendered.symlink_to(text.removeprefix("-> "))
            else:
                rendered.write_text(text)
        return tree

    def apply(self, plan: HostPlan) -> None:
        with prepare_host_files(plan, "app") as prepared:
            apply_host_files(plan, prepared, self.events.append)

    def files(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.root)): f"-> {path.readlink()}"
            if path.is_symlink()
            else path.read_text()
            for path in sorted(self.root.rglob("*"))
            if path.is_symlink() or path.is_file()
        }

    def told(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Step | Warned)]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    root, trees = tmp_path / "root", tmp_path / "trees"
    root.mkdir()
    trees.mkdir()
    return Host(root, trees)
