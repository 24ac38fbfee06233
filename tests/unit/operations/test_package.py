"""An image becomes a package, built by the distribution's own tools."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from images import File, Files, Symlink

from os_containers.errors import ImageError, NotFoundError, PolicyError, SystemFaultError, UsageError
from os_containers.host.host_policy import Permission
from os_containers.operations.check import Depth, check
from os_containers.operations.choices import Choices
from os_containers.operations.package import Format, make_package
from os_containers.paths import Mode

if TYPE_CHECKING:
    from conftest import Machine

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="files in a package have owners")
EXPORTS = {
    "service.template": "[Service]\nExecStart=$EXEC_START\nEnvironment=GREETING=$GREETING\n",
    "tmpfiles.template": "d /var/lib/$NAME 0755 root root\nd /run/lock 0755 root root\n",
    "manifest.json": '{"defaultValues": {"GREETING": "hello"}}',
    "hostfs/etc/app/app.conf": "port = 1\n",
    "hostfs/usr/local/bin/appctl": "#!/bin/sh\n",
}
PLACED = [
    "etc/app/app.conf",
    "usr/lib/containers/atomic/app/config.json",
    "usr/lib/containers/atomic/app/info",
    "usr/lib/containers/atomic/app/rootfs/version",
    "usr/lib/systemd/system/app.service",
    "usr/lib/systemd/system/app.service.d/10-os-containers.conf",
    "usr/lib/tmpfiles.d/app.conf",
    "usr/local/bin/appctl",
]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    directory = tmp_path / "output"
    directory.mkdir()
    return directory


def make(machine: "Machine", kind: Format, output: Path, **settings: str) -> Path:
    return make_package(machine.system, "example.org/app:latest", Choices(settings), kind=kind, output=output)


def said(*words: str | Path) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@as_root
def test_a_debian_package(machine: "Machine", output: Path, tmp_path: Path) -> None:
    """It holds what install makes, where a distribution has it, and the unit calls it there."""
    machine.store("1.2", exports=EXPORTS)
    package = make(machine, Format.DEB, output, GREETING="welcome")
    assert [path.name for path in output.iterdir()] == ["atomic-container-app_0-20260102030405_amd64.deb"]
    unpacked = tmp_path / "unpacked"
    said("dpkg-deb", "--raw-extract", package, unpacked)
    assert [path for path in PLACED if not (unpacked / path).is_file()] == []
    unit = (unpacked / "usr/lib/systemd/system/app.service").read_text()
    assert "--bundle /usr/lib/containers/atomic/app app" in unit
    assert "GREETING=welcome" in unit
    assert (unpacked / "DEBIAN/conffiles").read_text() == "/etc/app/app.conf\n"
    scripts = {name: (unpacked / "DEBIAN" / name).read_text() for name in ("postinst", "prerm", "postrm")}
    # what others than the container use as well stays
    assert "/var/lib/app" in scripts["postrm"]
    assert "/run/lock" not in scripts["postrm"]
    for name in scripts:
        said("sh", "-n", unpacked / "DEBIAN" / name)
    # setuid programs of an image are out of the reach of other users
    assert (unpacked / "usr/lib/containers/atomic/app").stat().st_mode & 0o777 == 0o700


@as_root
def test_owners_are_numbers(machine: "Machine", output: Path) -> None:
    """They are the image's: their names on the host that builds, and on the others, mean other ones."""
    machine.store("1", more={"/spool": File(uid=8, gid=42)})
    package = make(machine, Format.DEB, output)
    tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], check=True, capture_output=True).stdout
    listed = subprocess.run(["tar", "--list", "--verbose"], check=True, input=tar, capture_output=True).stdout
    assert " 8/42 " in next(line for line in listed.decode().splitlines() if line.endswith("rootfs/spool"))


@as_root
def test_symlinks_to_the_same_are_each_their_own(machine: "Machine", output: Path) -> None:
    """In the repo they are one file; dpkg cannot unpack a hard link to a symlink."""
    links = {"/bin/ls": Symlink("box"), "/bin/cat": Symlink("box")}
    machine.store("1", more=links)
    package = make(machine, Format.DEB, output)
    listed = said("dpkg-deb", "--contents", package).splitlines()
    assert [line[0] for line in listed if "/rootfs/bin/" in line and " -> box" in line] == ["l", "l"]


@as_root
def test_an_rpm(machine: "Machine", output: Path) -> None:
    """It has the same; what is in /etc is configuration, and owners are given where it is installed."""
    machine.store("1.2", exports=EXPORTS, more={"/spool": File(uid=8, gid=42)})
    package = make(machine, Format.RPM, output)
    listed = said("rpm", "--query", "--list", "--package", package).splitlines()
    assert [path for path in PLACED if f"/{path}" not in listed] == []
    assert "/etc/app" in listed
    assert "/usr/local/bin" not in listed
    assert said("rpm", "--query", "--configfiles", "--package", package) == "/etc/app/app.conf\n"
    scripts = said("rpm", "--query", "--scripts", "--package", package)
    assert "chown --no-dereference 8:42 -- /usr/lib/containers/atomic/app/rootfs/spool" in scripts
    assert "systemctl enable app.service" in scripts
    assert said("rpm", "--query", "--queryformat", "%{NAME} %{ARCH}", "--package", package) == (
        "atomic-container-app x86_64"
    )


# what rpmbuild does from 4.20 on before it cleans up
FIXING_RPMBUILD = """\
#!/bin/sh -e
/usr/bin/rpmbuild --noclean "$@"
for word; do
    case $word in --define=_topdir*) top=${word#--define=_topdir }; esac
done
chmod --recursive a+rX,u+w,g-w,o-w "$top"
echo "$top" >>%s
"""


@as_root
def test_an_rpm_is_made_of_copies(
    machine: "Machine", output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What rpmbuild does with its files, it does not to those of the store, which containers run from."""
    machine.store("1", more={"/etc/key": File("secret", mode=0o600)})
    wrapper, done = tmp_path / "bin/rpmbuild", tmp_path / "done"
    wrapper.parent.mkdir()
    wrapper.write_text(FIXING_RPMBUILD % done)
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    package = make(machine, Format.RPM, output)
    assert done.exists()
    assert check(machine.system, Depth.CONTENT) == []
    listed = said("rpm", "--query", "--list", "--verbose", "--package", package).splitlines()
    assert [line[:10] for line in listed if line.endswith("/rootfs/etc/key")] == ["-rw-------"]


@as_root
def test_a_package_of_host_files_alone(machine: "Machine", output: Path, tmp_path: Path) -> None:
    """There is no service to care for; dpkg would take the admin's empty directories for the package's."""
    exports = {"manifest.json": '{"noContainerService": true}', "hostfs/usr/local/bin/tool": "#!/bin/sh\n"}
    machine.store("1", exports=exports)
    said("dpkg-deb", "--raw-extract", make(machine, Format.DEB, output), tmp_path / "unpacked")
    control = tmp_path / "unpacked/DEBIAN"
    assert sorted(path.name for path in control.iterdir()) == ["control", "postrm"]
    assert "mkdir --mode=755 /usr/local/bin" in (control / "postrm").read_text()
    assert said("rpm", "--query", "--scripts", "--package", make(machine, Format.RPM, output)) == ""


@as_root
@pytest.mark.parametrize(
    "place",
    ["DEBIAN/preinst", "usr/lib/containers/atomic/app/rootfs/out/evil", "usr/lib/systemd/system/app.service"],
)
def test_a_host_file_is_no_other_part_of_the_package(
    machine: "Machine", output: Path, tmp_path: Path, place: str
) -> None:
    """Neither a script of it, nor a way out by a symlink of the image, whatever the admin has allowed."""
    machine.store("1", exports={f"hostfs/{place}": "evil\n"}, more={"/out": Symlink(str(tmp_path))})
    with pytest.raises(ImageError, match="conflicts with a file of the package"):
        make_package(
            machine.system,
            "example.org/app",
            Choices(permission=Permission(paths=("/usr/lib",))),
            kind=Format.DEB,
            output=output,
        )
    assert not (tmp_path / "evil").exists()


@as_root
@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"exports": {"hostfs/etc/app/two\nlines": "x"}}, r"cannot contain the file '/etc/app/two\\nlines'"),
        ({"more": {"/two\nlines": "x"}}, r"cannot contain the file '/usr/lib/.*/rootfs/two\\nlines'"),
        ({"exports": {"hostfs/etc/app/end ": "x"}}, "cannot contain the configuration file '/etc/app/end '"),
        (
            {"exports": {"hostfs/etc/app/end\t": "x"}},
            r"cannot contain the configuration file '/etc/app/end\\t'",
        ),
    ],
)
def test_a_name_that_dpkg_would_misread_is_refused(
    machine: "Machine", output: Path, files: Mapping[str, Files], message: str
) -> None:
    """Its lists have a name a line, and of a configuration file no space at the end."""
    machine.store("1", exports=files.get("exports"), more=files.get("more"))
    with pytest.raises(ImageError, match=f"a Debian package {message}"):
        make_package(machine.system, "example.org/app", Choices(), kind=Format.DEB, output=output)
    assert list(output.iterdir()) == []


@as_root
def test_other_spaces_in_names_are_no_problem(machine: "Machine", output: Path, tmp_path: Path) -> None:
    """Neither within the name of a configuration file, nor at the end of another's, nor in an RPM."""
    exports = {"hostfs/etc/app/ a b": "x", "hostfs/usr/local/bin/end ": "x"}
    machine.store("1", exports={"manifest.json": "{}", **exports})
    said("dpkg-deb", "--raw-extract", make(machine, Format.DEB, output), tmp_path / "unpacked")
    assert (tmp_path / "unpacked/DEBIAN/conffiles").read_text() == "/etc/app/ a b\n"
    assert (tmp_path / "unpacked/usr/local/bin/end ").exists()
    machine.store("1", exports={"manifest.json": "{}", "hostfs/etc/app/end ": "x"})
    listed = said("rpm", "--query", "--configfiles", "--package", make(machine, Format.RPM, output))
    assert listed == "/etc/app/end \n"


@as_root
def test_a_host_file_that_others_act_on_needs_the_admins_word(machine: "Machine", output: Path) -> None:
    """As with install; the error leaves nothing, neither here nor there."""
    machine.store("1", exports={"hostfs/etc/cron.d/app": "* * * * * root true\n"})
    with pytest.raises(PolicyError):
        make(machine, Format.DEB, output)
    assert list(output.iterdir()) == []
    assert list(machine.paths.staging.iterdir()) == []
    make_package(
        machine.system,
        "example.org/app",
        Choices(permission=Permission(paths=("/etc/cron.d",))),
        kind=Format.DEB,
        output=output,
    )


@as_root
def test_a_missing_tool_is_named_before_anything_is_done(
    machine: "Machine", output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the package that brings it."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemFaultError, match="rpmbuild is not installed") as caught:
        make(machine, Format.RPM, output)
    assert "rpm-build" in (caught.value.hint or "")


@as_root
def test_the_directory_must_be_there(machine: "Machine", output: Path) -> None:
    with pytest.raises(NotFoundError, match="no directory"):
        make(machine, Format.DEB, output / "not-there")


@as_root
def test_a_directory_that_cannot_be_written_is_named_before_anything_is_done(
    machine: "Machine", monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its whole path, and with what to do; not even the image is looked for."""
    monkeypatch.chdir("/proc")
    with pytest.raises(SystemFaultError) as raised:
        make(machine, Format.DEB, Path())
    assert raised.value.message == "cannot write to /proc: No such file or directory"
    assert raised.value.hint == "change to another directory, or name one: os-containers package --output DIR"
    assert not machine.paths.state.exists()


def test_a_user_cannot_make_one(machine: "Machine", output: Path) -> None:
    """In a user's repo the files have no owners."""
    system = replace(machine.system, paths=replace(machine.paths, mode=Mode.USER))
    with pytest.raises(UsageError, match="only root"):
        make_package(system, "example.org/app", Choices(), kind=Format.DEB, output=output)
