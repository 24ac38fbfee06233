"""A Debian package of a container, by dpkg-deb."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from os_containers import process
from os_containers.errors import AUTHOR, ImageError
from os_containers.packages.contents import COMMON, CONTROL, Contents
from os_containers.packages.facts import Facts, translated

TOOL = "dpkg-deb"
_ARCHITECTURES = {
    "386": "i386",
    "amd64": "amd64",
    "arm": "armhf",
    "arm64": "arm64",
    "ppc64le": "ppc64el",
    "riscv64": "riscv64",
    "s390x": "s390x",
}
# what dpkg takes away from the end of a line
_SPACE = " \t\v\f\r"
_RUNTIMES = frozenset({"crun", "runc"})


def build_deb(facts: Facts, contents: Contents, scratch: Path) -> Path:
    """Return a package, made in a scratch directory. Raises ProcessError when dpkg-deb refuses it.

    Raises ImageError for a name that dpkg would not read as it is.
    """
    _check_names(contents)
    control = contents.top / CONTROL
    control.mkdir(mode=0o755)
    _write(control / "control", render_control(facts))
    if contents.configuration:
        _write(control / "conffiles", "".join(f"{path}\n" for path in contents.configuration))
    for name, script in render_scripts(contents).items():
        _write(control / name, script, mode=0o755)
    package = scratch / file_name(facts)
    search = f"PATH={_tools(scratch)}:{os.environ.get('PATH', os.defpath)}"
    process.run(["env", search, TOOL, "--build", "-Zzstd", contents.top, package])
    return package


def _check_names(contents: Contents) -> None:
    # it refuses the first when it installs the package, and of the second it forgets what a person changed
    for path in contents.with_newlines():
        raise ImageError(f"a Debian package cannot contain the file {path!a}", hint=AUTHOR)
    for path in contents.configuration:
        if path.rstrip(_SPACE) != path:
            raise ImageError(
                f"a Debian package cannot contain the configuration file {path!a}",
                hint="make an RPM: --format rpm",
            )


def file_name(facts: Facts) -> str:
    return f"{facts.name}_{_full_version(facts)}_{_architecture(facts)}.deb"


def render_control(facts: Facts) -> str:
    """Return what deb-control(5) wants to know."""
    fields = {
        "Package": facts.name,
        "Version": _full_version(facts),
        "Architecture": _architecture(facts),
        "Maintainer": "os-containers <root@localhost>",
        "Depends": ", ".join(sorted({"systemd", *_RUNTIMES & {facts.runtime}})),
        "Section": "admin",
        "Priority": "optional",
        "Homepage": facts.url,
        "Description": f"{facts.summary}\n {facts.description}\n .\n Made from {facts.image}",
    }
    return "".join(f"{field}: {text}\n" for field, text in fields.items() if text)


def render_scripts(contents: Contents) -> dict[str, str]:
    """Return the maintainer scripts: enabled and started, as Debian's are; nothing left after a purge.

    Where an update by os-containers has the place of the service, that is left as it is.
    """
    if not contents.has_service:
        back = "".join(f"{line}\n" for line in _bring_back(contents))
        return {"postrm": f'#!/bin/sh\nset -e\n[ "$1" = remove ] || exit 0\n{back}'} if back else {}
    return {
        "preinst": _preinst(contents),
        "postinst": _postinst(contents),
        "prerm": _prerm(contents),
        "postrm": _postrm(contents),
    }


def _preinst(contents: Contents) -> str:
    """Note that this is no upgrade: postinst cannot tell that from an installation after a removal."""
    return f"""\
#!/bin/sh
set -e
[ "$1" != install ] || touch {_mark(contents)}
"""


def _mark(contents: Contents) -> str:
    return f"/run/{contents.service}.installed"


def _postinst(contents: Contents) -> str:
    service, override = contents.service, contents.override
    return f"""\
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
if [ ! -e {override} ] && deb-systemd-helper --quiet was-enabled {service}; then
    deb-systemd-helper enable {service} >/dev/null || true
else
    deb-systemd-helper update-state {service} >/dev/null || true
fi
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
fi
if [ -d /run/systemd/system ] && [ ! -e {override} ]; then
{_tmpfiles("create", contents)}    if [ -e {_mark(contents)} ]; then
        deb-systemd-invoke start {service} || true
    else
        systemctl try-restart {service} || true
    fi
fi
rm --force {_mark(contents)}
"""


def _prerm(contents: Contents) -> str:
    return f"""\
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ] && [ ! -e {contents.override} ]; then
    systemctl stop {contents.service}
{_tmpfiles("remove", contents)}fi
"""


def _postrm(contents: Contents) -> str:
    service, override = contents.service, contents.override
    return f"""\
#!/bin/sh
set -e
if [ "$1" = remove ]; then
{_indented(contents.clean_up(), *_bring_back(contents))}\
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
fi
if [ "$1" = purge ]; then
    enabled=no
    [ ! -e {override} ] || ! systemctl --quiet is-enabled {service} || enabled=yes
    deb-systemd-helper purge {service} >/dev/null || true
    [ $enabled = no ] || systemctl --quiet enable {service} || true
fi
"""


def _tmpfiles(verb: str, contents: Contents) -> str:
    return f"    systemd-tmpfiles --{verb} {contents.tmpfiles} || true\n" if contents.tmpfiles else ""


def _bring_back(contents: Contents) -> Iterator[str]:
    """Give the commands that make the directories again which dpkg takes for ours: they are the admin's."""
    parents = {str(one) for path in contents.files for one in PurePosixPath(path).parents}
    for directory in sorted(one for one in parents if one.startswith("/usr/local")):
        if directory in COMMON:
            yield f"[ -d {directory} ] || mkdir --mode=755 {directory}"


def _indented(*lines: str) -> str:
    return "".join(f"    {line}\n" for text in lines for line in text.splitlines())


def _full_version(facts: Facts) -> str:
    return f"{facts.version}-{facts.release}"


def _architecture(facts: Facts) -> str:
    return translated(facts.architecture, _ARCHITECTURES, "Debian")


def _tools(scratch: Path) -> Path:
    """Make a directory with a tar that writes owners as numbers.

    Those of a rootfs are the image's, and have other names on another host; dpkg-deb has no option for that.
    """
    tools = scratch / "tools"
    tools.mkdir()
    tar = process.find_program("tar")
    if tar is None:
        raise process.missing_program("tar")
    _write(tools / "tar", f'#!/bin/sh\nexec {shlex.quote(str(tar))} --numeric-owner "$@"\n', mode=0o755)
    return tools


def _write(path: Path, text: str, *, mode: int = 0o644) -> None:
    path.write_text(text)
    path.chmod(mode)
