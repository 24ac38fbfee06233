"""A family of small images for quick tests: a static busybox that says which version it is."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from testhost.layout import tar_of, write_layout
from testhost.machine import SHARED, Host

APPLETS = ("cat", "echo", "env", "grep", "id", "ls", "sh", "sleep", "stat", "touch", "true")
SERVICE = """\
#!/bin/sh
trap 'echo goodbye; exit 0' TERM
echo "hello from version $(cat /version)"
while :; do sleep 0.1; done
"""
# With NEVER_READY: what it says of its end comes when systemd has long said that it gave up.
WAITS = """\
#!/bin/sh
exec 2>/dev/null
trap 'sleep 1; echo goodbye; exit 0' TERM
echo no database yet
while :; do sleep 0.1; done
"""
NEVER_READY = {
    "/exports/service.template": """\
[Service]
Type=notify
TimeoutStartSec=4
ExecStart=$EXEC_START
[Install]
WantedBy=multi-user.target
"""
}


@dataclass(frozen=True, slots=True)
class HelloImage:
    """What is in the image besides busybox: /version, the service /bin/hello, and what has a path."""

    version: str
    files: Mapping[str, str] = field(default_factory=dict)
    executables: Mapping[str, str] = field(default_factory=lambda: {"/bin/hello": SERVICE})
    config: Mapping[str, object] = field(default_factory=dict)
    directories: Sequence[str] = ()

    @contextmanager
    def layout(self, host: Host) -> Iterator[Path]:
        """Give an OCI layout of the image, with the busybox of a host as its first layer."""
        with tempfile.TemporaryDirectory() as scratch:
            base, added, layout = (Path(scratch) / name for name in ("base", "added", "layout"))
            _add_busybox(host.tree, base)
            self._add_files(added)
            defaults = {"Cmd": ["/bin/hello"], "Env": ["PATH=/bin"], "Labels": {"version": self.version}}
            layers = [tar_of(base), tar_of(added)]
            write_layout(layout, tag=self.version, layers=layers, config={**defaults, **self.config})
            yield layout

    def put(self, host: Host, directory: str) -> None:
        """Put an OCI layout of the image into a new directory of a host."""
        with self.layout(host) as layout:
            shutil.copytree(layout, host.shared / self.version)
        host.run(
            f"mkdir --parents $(dirname {directory}) && cp --recursive {SHARED}/{self.version} {directory}"
        )

    def _add_files(self, added: Path) -> None:
        for path, text in {**self.files, **self.executables, "/version": self.version}.items():
            target = added / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            target.chmod(0o755 if path in self.executables else 0o644)
        for path in self.directories:
            (added / path.lstrip("/")).mkdir(parents=True)


def start_hello(host: Host, *, user: str | None = None) -> None:
    """Start the service hello and return when it has greeted: from then on it hears signals."""
    systemctl = "systemctl --user" if user else "systemctl"
    show = f"{systemctl} show --property=InvocationID --value hello"
    invocation = host.run(f"{systemctl} start hello && {show}", user=user).stdout.strip()
    # root reads it, since a user has no journal of his own before the first boot with a persistent one
    journal = f"journalctl --output=cat _SYSTEMD_INVOCATION_ID={invocation}"
    host.run(f"until {journal} | grep --quiet '^hello'; do sleep 0.05; done", timeout=30)


def _add_busybox(host: Path, base: Path) -> None:
    for directory in ("bin", "dev", "etc", "proc", "run", "sys", "tmp", "var/lib"):
        (base / directory).mkdir(parents=True)
    shutil.copy(host / "usr/bin/busybox", base / "bin/busybox")
    for applet in APPLETS:
        (base / "bin" / applet).symlink_to("busybox")
