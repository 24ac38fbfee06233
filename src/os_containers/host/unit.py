"""The texts that systemd reads: unit, drop-in and tmpfiles.d fragment; pure.

The unit is the image's own, rendered, with what it lacks itself; what every unit needs is in a drop-in.
"""

import re
import shlex
from collections.abc import Iterable

from os_containers.deployment.unit_text import Setting, settings
from os_containers.errors import AUTHOR, ImageError
from os_containers.host.runtime import ServiceCommands
from os_containers.paths import Mode

DROP_IN = "10-os-containers.conf"
RECOVERY_UNIT = "os-containers-recover.service"
# systemd puts the runtime's own process there, so that the container may have a cgroup beside it.
SUPERVISOR = "supervisor"
CONTAINER = "container"
# what is no name of a slice, systemd ignores
_SLICE = re.compile(r"([A-Za-z0-9_:.\\]+(?:-[A-Za-z0-9_:.\\]+)*)\.slice")
_DELEGATE_SUBGROUP_SINCE = 254
# Of systemd; the drop-in has one text for each.
DROP_IN_VERSIONS = (0, _DELEGATE_SUBGROUP_SINCE)


def default_service_template(*, mode: Mode, stop_signal: str) -> bytes:
    """Return the service template of an image that ships none."""
    target = "default.target" if mode is Mode.USER else "multi-user.target"
    return f"""\
[Unit]
Description=$NAME, system container of $IMAGE_NAME
After=network.target

[Service]
ExecStartPre=$EXEC_STARTPRE
ExecStart=$EXEC_START
ExecStopPost=$EXEC_STOPPOST
Restart=on-failure
# the runtime passes the signal on to the container
KillMode=mixed
KillSignal={stop_signal}

[Install]
WantedBy={target}
""".encode()


def exec_variables(commands: ServiceCommands) -> dict[str, str]:
    """Return the EXEC_ variables of a service template, quoted as a unit wants them."""
    return {
        "EXEC_STARTPRE": exec_line(commands.start_pre),
        "EXEC_START": exec_line(commands.start),
        "EXEC_STOP": exec_line(commands.stop),
        "EXEC_STOPPOST": exec_line(commands.stop_post),
    }


def stop_at_ease(unit: str, stop: str) -> str:
    """Return the unit, where a failure to stop the container does not count.

    systemd runs ExecStop= also when a service has ended by itself: there is no container then, and a service
    that ended well would have failed.
    """
    return re.sub(rf"(?m)^(\s*ExecStop\s*=\s*)(?={re.escape(stop)}\s*$)", r"\1-", unit)


def clean_up_after(unit: str, start: str, clean_up: str) -> str:
    """Return the unit, where what a killed runtime leaves is removed when the service has ended.

    With that the next start would fail. The units of the predecessors' images do not say so themselves.
    """
    commands = [(one.key, one.value) for one in settings(unit) if one.section == "Service"]
    runs_container = any(key == "ExecStart" and start in value for key, value in commands)
    if not runs_container or any(key == "ExecStopPost" and clean_up in value for key, value in commands):
        return unit
    return f"{unit}\n[Service]\nExecStopPost=-{clean_up}\n"


def exec_line(words: Iterable[str]) -> str:
    """Return a command line for Exec*= (systemd.service(5), Command lines)."""
    return " ".join(_quoted(word) for word in words)


def render_drop_in(*, systemd_version: int) -> str:
    """Return our drop-in: nothing starts half changed, and the container lives in the unit's own cgroup."""
    # After= alone: as a Wants= it would be started with the container, while that is being changed
    lines = ["[Unit]", f"After={RECOVERY_UNIT}", "", "[Service]", "Delegate=yes"]
    if systemd_version >= _DELEGATE_SUBGROUP_SINCE:
        lines.append(f"DelegateSubgroup={SUPERVISOR}")
    return "\n".join([*lines, ""])


def render_needs(root: str) -> str:
    """Return what a unit says beyond its own text when it runs from a root file system of the host."""
    escaped = root.replace("%", "%%")
    mounts = escaped.replace("\\", "\\\\").replace('"', '\\"')
    return f'\n[Unit]\nRequiresMountsFor="{mounts}"\nAssertDirectoryNotEmpty={escaped}\n'


def render_tmpfiles(directories: Iterable[tuple[str, int, int, int]]) -> str:
    """Return a tmpfiles.d fragment that makes directories: path, mode, uid, gid.

    Raises ImageError for a path that cannot be written in one line.
    """
    return "".join(f'd "{_escaped(path)}" {mode:04o} {uid} {gid} -\n' for path, mode, uid, gid in directories)


def render_missing(directories: Iterable[tuple[str, int, int, int]]) -> str:
    """Return the same for directories that others may have made, whose mode and owner stay then."""
    return "".join(
        f'd "{_escaped(path)}" :{mode:04o} :{uid} :{gid} -\n' for path, mode, uid, gid in directories
    )


def directories_of(tmpfiles: str, types: str = "dD") -> list[str]:
    """Return the directories that a tmpfiles.d fragment makes, but those named by specifiers.

    Those of the type D are emptied by systemd-tmpfiles --remove.
    """
    lines = (line for line in tmpfiles.splitlines() if line and line[0] in types)
    rows = (_words(line) for line in lines)
    paths = (row[1].replace("%%", "\0") for row in rows if len(row) > 1)
    # what a specifier stands for, systemd knows
    return [path.replace("\0", "%") for path in paths if "%" not in path]


def _escaped(path: str) -> str:
    if not path.isprintable():
        raise ImageError(f"the directory {path!a} has a control character", hint="choose another directory")
    return path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return []  # systemd-tmpfiles refuses the line as well


def for_user(unit: str) -> str:
    """Return the unit for a user's manager, which has no multi-user.target."""
    section, text = "", []
    for line in unit.splitlines(keepends=True):
        if line.lstrip().startswith("["):
            section = line.strip()
        text.append(line.replace("multi-user.target", "default.target") if section == "[Install]" else line)
    return "".join(text)


def check_unit(unit: str) -> None:
    """Raise ImageError for a rendered unit that can start nothing, or that takes another unit's name."""
    found = list(settings(unit))
    if Setting("Service", "", "") not in found:
        raise ImageError("the unit of the image has no [Service] section", hint=AUTHOR)
    if not any(one.section == "Service" and one.key == "ExecStart" and one.value for one in found):
        raise ImageError("the unit of the image has no ExecStart=", hint=AUTHOR)
    for one in found:
        if one.section == "Install" and one.key in {"Alias", "Also"} and one.value:
            raise ImageError(
                f"the unit of the image has {one.key}={one.value[:100]!a}: it would act on other units",
                hint=AUTHOR,
            )


def slice_path(unit: str, *, default: str) -> str:
    """Return the cgroup of the slice that a unit asks for (systemd.slice(5): dashes nest)."""
    asked = [one.value for one in settings(unit) if one.section == "Service" and one.key == "Slice"]
    named = _SLICE.fullmatch(asked[-1]) if asked else None
    parts = (named[1] if named else default).split("-")
    return "/".join(f"{'-'.join(parts[: depth + 1])}.slice" for depth in range(len(parts)))


def cgroup_path(unit: str, *, mode: Mode, uid: int, slices: str) -> str:
    """Return the cgroup for a container's processes: inside the unit's own, beside the runtime's."""
    manager = "" if mode is Mode.SYSTEM else f"/user.slice/user-{uid}.slice/user@{uid}.service"
    return f"{manager}/{slices}/{unit}/{CONTAINER}"


def default_slice(mode: Mode) -> str:
    """Return the name of the slice in which systemd puts units that ask for none."""
    return "system" if mode is Mode.SYSTEM else "app"


def install_section(unit: str) -> tuple[str, ...]:
    """Return the settings under [Install], which enabling a unit reads."""
    return tuple(
        sorted(f"{one.key}={one.value}" for one in settings(unit) if one.section == "Install" and one.key)
    )


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if re.search(r"[\s\"';]", word) or not word else escaped
