"""The unit that recovers after a crash, before any container starts.

/etc/systemd/system/os-containers-recover.service    there while there are containers

A package brings it in /usr/lib; where it does not, we put it beside the units of the containers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from os_containers import files
from os_containers.host.systemd import ServiceManager, UnitState
from os_containers.host.unit import RECOVERY_UNIT, exec_line
from os_containers.host.unit_files import sync_links
from os_containers.paths import Mode, Paths
from os_containers.process import own_command

# Where the state is, if it is not in the usual place: the service has no environment from a login.
_VARIABLES = ("OS_CONTAINERS_CHECKOUT_PATH", "OSTREE_REPO", "XDG_CONFIG_HOME", "XDG_DATA_HOME")


@dataclass(frozen=True, slots=True)
class RecoveryUnit:
    """Where the unit is when it is ours."""

    path: Path

    @classmethod
    def find(cls, paths: Paths) -> "RecoveryUnit":
        return cls(paths.units / RECOVERY_UNIT)

    def install(self, paths: Paths, environment: Mapping[str, str], services: ServiceManager) -> None:
        """Put the unit in place and enable it, unless the host has it."""
        self._remove_temporaries()
        text = render_recovery_unit(own_command(), paths, environment).encode()
        state = services.states([RECOVERY_UNIT]).get(RECOVERY_UNIT, UnitState())
        if self.path.exists():
            # a command may have been killed between the two
            is_current = self.path.read_bytes() == text and state.is_enabled
        else:
            is_current = state.load == "loaded"
        if not is_current:
            files.make_directory(self.path.parent)
            files.write_atomic(self.path, text)
            services.enable(RECOVERY_UNIT)
            sync_links(self.path.parent)

    def remove(self, services: ServiceManager) -> None:
        """Take the unit away when it is ours."""
        self._remove_temporaries()
        if self.path.exists():
            services.disable(RECOVERY_UNIT)
            sync_links(self.path.parent)
            files.unlink_durable(self.path)
            services.reload()

    def _remove_temporaries(self) -> None:
        for temporary in files.leftover_temporaries(self.path):
            files.unlink_durable(temporary)


def render_recovery_unit(command: Path, paths: Paths, environment: Mapping[str, str]) -> str:
    """Return the text of the unit; it does nothing, in no time, where no change was interrupted."""
    target = "default.target" if paths.mode is Mode.USER else "multi-user.target"
    settings = (f"{name}={environment[name]}" for name in _VARIABLES if environment.get(name))
    variables = "".join(f"Environment={exec_line([setting])}\n" for setting in settings)
    return f"""\
[Unit]
Description=Finish or undo interrupted changes of system containers
RequiresMountsFor={exec_line([str(paths.state)])}
ConditionDirectoryNotEmpty={str(paths.journals).replace("%", "%%")}

[Service]
Type=oneshot
{variables}ExecStart={exec_line([str(command), "recover", "--no-block"])}

[Install]
WantedBy={target}
"""
