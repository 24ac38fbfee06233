"""An RPM of a container, by rpmbuild."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from os_containers import process
from os_containers.errors import ImageError
from os_containers.packages.contents import COMMON, Contents, Owned
from os_containers.packages.facts import BUNDLES, Facts, translated

TOOL = "rpmbuild"
_ARCHITECTURES = {
    "386": "i686",
    "amd64": "x86_64",
    "arm": "armv7hl",
    "arm64": "aarch64",
    "ppc64le": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
}
_RUNTIMES = frozenset({"crun", "runc"})
# what a line under %files could mean otherwise
_AMBIGUOUS = re.compile(r"[][*?{}\"\\\n%]")


def build_rpm(facts: Facts, contents: Contents, scratch: Path) -> Path:
    """Return a package, made in a scratch directory. Raises ProcessError when rpmbuild refuses it."""
    spec = scratch / "package.spec"
    spec.write_text(render_spec(facts, contents))
    topdir = scratch / "rpmbuild"
    # rpmbuild opens the database of the host, and makes it where there is none
    places = {"_topdir": topdir, "_dbpath": scratch / "rpmdb"}
    defines = [f"--define={name} {_literal(place)}" for name, place in places.items()]
    process.run([TOOL, "-bb", f"--target={_architecture(facts)}", *defines, spec])
    (package,) = (topdir / "RPMS").rglob("*.rpm")
    return package


def render_spec(facts: Facts, contents: Contents) -> str:
    """Return the spec: the files are copied as they are.

    rpmbuild changes modes in its own directories, and what it is given are links to the files of the store.
    """
    requires = "".join(f"Requires: {name}\n" for name in sorted({"systemd", *_RUNTIMES & {facts.runtime}}))
    url = f"URL: {_literal(facts.url)}\n" if facts.url else ""
    listed = "\n".join(_files(contents))
    return f"""\
%global __spec_install_post %{{nil}}
%global debug_package %{{nil}}
%global _build_id_links none
Name: {facts.name}
Version: {facts.version}
Release: {facts.release}
Summary: {_literal(facts.summary)}
License: {_literal(facts.license)}
{url}AutoReqProv: no
{requires}
%description
{_literal(facts.description)}

Made from {_literal(facts.image)}

%install
rm --recursive --force %{{buildroot}}
cp --archive --reflink=auto {_shell(contents.top)} %{{buildroot}}
{_scriptlets(contents)}
%files
%defattr(-,root,root,-)
{listed}
"""


def _scriptlets(contents: Contents) -> str:
    create, remove = (_tmpfiles(verb, contents) for verb in ("create", "remove"))
    owners = "".join(f"{line}\n" for one in contents.foreign() for line in _give(one))
    cleaned = "".join(f"    {_literal(line)}\n" for line in contents.clean_up().splitlines())
    if not contents.has_service:
        return f"\n%post\n{owners}" if owners else ""
    # an update by os-containers that has the place of the service is left as it is
    return f"""
%post
{owners}[ $1 -gt 1 ] || [ -e {contents.override} ] || systemctl enable {contents.service} || :
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || :
fi
if [ -d /run/systemd/system ] && [ ! -e {contents.override} ]; then
{create}    [ $1 -eq 1 ] || systemctl try-restart {contents.service} || :
fi

%preun
if [ $1 -eq 0 ] && [ ! -e {contents.override} ]; then
    systemctl --no-reload disable --now {contents.service} || :
{remove}fi

%postun
if [ $1 -eq 0 ]; then
{cleaned}    [ ! -d /run/systemd/system ] || systemctl daemon-reload || :
fi
"""


def _tmpfiles(verb: str, contents: Contents) -> str:
    return f"    systemd-tmpfiles --{verb} {contents.tmpfiles} || :\n" if contents.tmpfiles else ""


def _give(owned: Owned) -> Iterator[str]:
    """Give the commands for an owner: in an RPM it is a name, which means others on another host."""
    path = _shell(owned.path)
    yield f"chown --no-dereference {owned.uid}:{owned.gid} -- {path} || :"
    if owned.mode & 0o7000:
        # chown(2) takes them away
        yield f"chmod {owned.mode:04o} -- {path} || :"


def _files(contents: Contents) -> Iterator[str]:
    yield f"%dir {BUNDLES.parent}"
    yield f"%dir {BUNDLES}"
    yield str(contents.bundle)
    own = {str(one) for path in contents.files for one in PurePosixPath(path).parents} | {
        *contents.directories
    }
    for directory in sorted(own - COMMON):
        yield f'%dir "{_plain(directory)}"'
    for path in contents.files:
        yield f'{"%config(noreplace) " if path in contents.configuration else ""}"{_plain(path)}"'


def _plain(path: str) -> str:
    if _AMBIGUOUS.search(path):
        raise ImageError(
            f"an RPM cannot contain the host file {path!a}", hint="make a Debian package: --format deb"
        )
    return path


def _literal(text: str | Path) -> str:
    return str(text).replace("%", "%%")


def _shell(path: str | Path) -> str:
    return _literal(shlex.quote(str(path)))


def _architecture(facts: Facts) -> str:
    return translated(facts.architecture, _ARCHITECTURES, "RPM")
