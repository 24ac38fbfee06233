"""What every operation works on: where things are, who runs services, and whom to tell."""

import contextlib
import functools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from os_containers import events, files
from os_containers.config import Config, General, Loader, find_paths, load_config
from os_containers.deployment.container import Container
from os_containers.deployment.name import check_name
from os_containers.errors import ConflictError
from os_containers.events import OnEvent, Step
from os_containers.host.runtime import Runtime, find_runtime
from os_containers.host.systemd import ServiceManager, Systemctl
from os_containers.locks import locked
from os_containers.operations.journal import Journals
from os_containers.paths import Mode, Paths
from os_containers.selinux import host_labels, make_directory
from os_containers.subids import UserIds, find_user_ids

if TYPE_CHECKING:
    from os_containers.ostree.repo import Repo

# One of these is in every state, a predecessor's too.
_OF_A_STATE = (".locks", ".deploy", ".storage")


@dataclass(frozen=True)
class System:
    """The host as one user sees it; opened once and passed to every operation."""

    paths: Paths
    services: ServiceManager
    environment: Mapping[str, str] = field(default_factory=dict)
    on_event: OnEvent = events.ignore
    lock_timeout: float = General().lock_timeout

    given: Config | None = None

    @classmethod
    def find(
        cls,
        *,
        on_event: OnEvent = events.ignore,
        lock_timeout: float | None = None,
        load: Loader = load_config,
    ) -> "System":
        """Return the host's system for root, the user's own for everybody else."""
        paths, config = find_paths(uid=os.geteuid(), environment=os.environ, load=load)
        timeout = config.general.lock_timeout if lock_timeout is None else lock_timeout
        return cls(paths, Systemctl(paths.mode), os.environ, on_event, timeout, config)

    @functools.cached_property
    def config(self) -> Config:
        """What the administrator has set; read once."""
        return self.given or load_config(self.paths.config_files)

    @property
    def mode(self) -> Mode:
        return self.paths.mode

    @property
    def journals(self) -> Journals:
        return Journals(self.paths.journals)

    def at_once(self) -> "System":
        """Return the same system for one who does not wait for locks."""
        return replace(self, lock_timeout=0)

    def tell(self, text: str) -> None:
        self.on_event(Step(text))

    def container(self, name: str) -> Container:
        """Return the container with a name, which need not exist. Raises UsageError for a bad name."""
        return self.named(check_name(name))

    def named(self, name: str) -> Container:
        """Return the container with a name that was found here."""
        return Container.find(self.paths, name)

    def repo(self) -> "Repo":
        """Open the OSTree repo; it is made when it is missing."""
        # listing containers must not pay for importing gi
        from os_containers.ostree import refs  # noqa: PLC0415
        from os_containers.ostree.creation import require_links  # noqa: PLC0415
        from os_containers.ostree.repo import Repo  # noqa: PLC0415

        self._make_state()
        state = self.paths.state.resolve()
        is_own = self.paths.repo.resolve().is_relative_to(state)
        pins = refs.PINS if is_own else refs.state_pins(str(state))
        repo = Repo.open(self.paths.repo, self.mode, pins=pins, chosen_by=self._repo_chosen_by())
        if not is_own:
            require_links(repo.path, state)
        return repo

    def _repo_chosen_by(self) -> str:
        """Return who says where the repo is, empty for nobody."""
        if self.environment.get("OSTREE_REPO"):
            return "OSTREE_REPO"
        file = self.config.origins.get("repo")
        return f"repo in {file}" if file else ""

    def runtime(self, wanted: str | None, *, recorded: str) -> Runtime:
        """Return the OCI runtime: as asked for, as a container has it, else as it is set for all."""
        configured = self.config.general.runtime
        return find_runtime(wanted, recorded=recorded, environment=self.environment, configured=configured)

    def user_ids(self) -> UserIds | None:
        """Return the ids for a user namespace in user mode, None in system mode."""
        return find_user_ids(os.geteuid(), os.getegid()) if self.mode is Mode.USER else None

    @contextlib.contextmanager
    def locked(self, container: Container) -> Iterator[None]:
        """Be the only command that changes a container, and the store under it not pruned."""
        with self.store_in_use(), self._lock(f"container-{container.name}"):
            yield

    @contextlib.contextmanager
    def host_locked(self) -> Iterator[None]:
        """Be the only command that changes host files and units."""
        with self._lock("host"):
            yield

    @contextlib.contextmanager
    def mounts_locked(self) -> Iterator[None]:
        """Be the only command that mounts and unmounts images."""
        with self._lock("mounts"):
            yield

    @contextlib.contextmanager
    def store_in_use(self) -> Iterator[None]:
        """Keep others from pruning the store meanwhile."""
        with self._lock("store", self._store_lock, shared=True):
            yield

    @contextlib.contextmanager
    def store_locked(self) -> Iterator[None]:
        """Be the only command that uses the store."""
        with self._lock("store", self._store_lock):
            yield

    @property
    def _store_lock(self) -> Path:
        """Return the lock of the repo, one for all states that use it: in that where it is, or beside it."""
        repo = self.paths.repo.resolve()
        home = replace(self.paths, state=repo.parent.parent)
        is_home = repo == home.state / ".storage/repo"
        return home.locks / "store" if is_home else repo.with_name(f".{repo.name}.os-containers-lock")

    @contextlib.contextmanager
    def _lock(self, what: str, file: Path | None = None, *, shared: bool = False) -> Iterator[None]:
        self._make_state()
        lock = locked(
            file or self.paths.locks / what,
            shared=shared,
            timeout=self.lock_timeout,
            on_wait=lambda holder: self.tell(f"waiting for {holder}, which holds the {what} lock"),
        )
        with lock:
            yield

    def misplaced(self) -> list[Path]:
        """Return what is no directory where one of ours belongs; nothing works before it is moved away."""
        return [one for one in self.paths.own_directories if os.path.lexists(one) and not one.is_dir()]

    def _require_own_state(self) -> None:
        """Raise ConflictError when config.toml names a directory that holds something else: it gets 0700."""
        state = self.paths.state
        if self.config.general.checkout_path != state or not state.is_dir():
            return
        is_own = any((state / one).exists() for one in _OF_A_STATE)
        if not is_own and any(state.iterdir()):
            raise ConflictError(
                f"{state} is not empty, and not a directory of os-containers",
                hint="give checkout-path a directory of its own",
            )

    def _make_state(self) -> None:
        for path in self.misplaced():
            raise files.no_directory(path)
        self._require_own_state()
        for directory in (self.paths.state, self.paths.locks):
            make_directory(directory, host_labels(), mode=0o700)
        # setuid files of an image must be out of the reach of other users
        if self.paths.state.stat().st_mode & 0o077:
            self.paths.state.chmod(0o700)
