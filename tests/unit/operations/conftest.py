"""A host in a directory: real files, a real repo, a service manager without systemd."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fakes import FakeServices
from images import FakeSource, Files, build_image

from os_containers.events import Event, Step, Warned
from os_containers.image.limits import Limits
from os_containers.image.manifest import Digest
from os_containers.operations.system import System
from os_containers.ostree.importer import import_image
from os_containers.ostree.stored_image import StoredImage
from os_containers.paths import Mode, Paths

NAME = "example.org/app:latest"


@dataclass
class Machine:
    """Where the operations of a test work, and what one sees of them."""

    root: Path
    paths: Paths
    services: FakeServices
    events: list[Event] = field(default_factory=list)

    @property
    def system(self) -> System:
        environment = {"RUNTIME": str(self.root / "crun")}
        return System(self.paths, self.services, environment, self.events.append, lock_timeout=5)

    def store(
        self,
        version: str,
        *,
        exports: Files | None = None,
        more: Files | None = None,
        name: str = NAME,
        cmd: Sequence[str] = ("/bin/app",),
        user: str = "",
        stop_signal: str = "",
        labels: Mapping[str, str] | None = None,
        volumes: Sequence[str] = (),
    ) -> StoredImage:
        """Put an image into the store, as pull would."""
        layout = build_image(
            self.root / f"layout-{len(list(self.root.iterdir()))}",
            {"/version": version, **(more or {})},
            exports=exports,
            cmd=cmd,
            user=user,
            stop_signal=stop_signal,
            labels=labels,
            volumes=volumes,
        )
        (described,) = json.loads((layout / "index.json").read_text())["manifests"]
        blobs = {Digest(f"sha256:{blob.name}"): blob.read_bytes() for blob in layout.rglob("sha256/*")}
        manifest = blobs[described["digest"]]
        return import_image(
            self.system.repo(),
            FakeSource(blobs),
            manifest_digest=Digest(described["digest"]),
            manifest_raw=manifest,
            config_raw=blobs[json.loads(manifest)["config"]["digest"]],
            name=name,
            limits=Limits(),
            on_event=lambda _: None,
        )

    def version(self) -> str:
        """Return which version of the container app is active."""
        return (self.paths.state / "app/rootfs/version").read_text()

    def deployed(self) -> list[str]:
        """Return the serials of the container app, and whatever else is beside them but the spare link."""
        directory = self.paths.deployments / "app"
        names = [path.name for path in directory.iterdir()] if directory.exists() else []
        return sorted(set(names) - {".active"})

    def host_file(self, path: str) -> Path:
        """Return a path that plays one of the host's."""
        return self.root / "host" / path

    def exported(self, path: str) -> str:
        """Return the path under /exports with which an image puts a file there."""
        return f"hostfs{self.host_file(path)}"

    def told(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Step | Warned)]

    def snapshot(self) -> dict[str, str]:
        """Return all files outside the store, and what runs."""
        outside = (self.paths.units, self.paths.tmpfiles, self.root / "host")
        files = [path for top in outside for path in top.rglob("*") if not path.is_dir()]
        texts = {str(path): path.read_text() for path in files}
        return texts | {"active": str(self.services.active), "enabled": str(self.services.enabled)}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    # only root can keep the owners of files, which is what the system's repo does
    mode = Mode.SYSTEM if os.geteuid() == 0 else Mode.USER
    state = tmp_path / "state"
    paths = Paths(
        mode=mode,
        state=state,
        repo=state / ".storage/repo",
        units=tmp_path / "units",
        tmpfiles=tmp_path / "tmpfiles.d",
        run_directory=tmp_path / "run",
        config_directory=tmp_path / "etc",
        state_directory=tmp_path / "lib",
    )
    for directory in (paths.units, paths.tmpfiles, tmp_path / "host"):
        directory.mkdir()
    (tmp_path / "crun").write_text("#!/bin/sh\n")
    (tmp_path / "crun").chmod(0o755)
    return Machine(tmp_path, paths, FakeServices(paths.units))
