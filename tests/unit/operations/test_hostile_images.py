"""Images and values that want more than they may: refused before anything on the host changes."""

import json
import os
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from images import Content, Directory, File, Symlink

from os_containers.errors import ConflictError, ImageError, OsContainersError, PolicyError, UsageError
from os_containers.image.limits import MiB
from os_containers.operations.choices import Choices
from os_containers.operations.install import install
from os_containers.operations.uninstall import uninstall
from os_containers.operations.update import update

if TYPE_CHECKING:
    from conftest import Machine

# where what is executed and loaded is written down; a hook stays for the life of the process
AUDITED: list[list[str]] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event in {"subprocess.Popen", "os.exec", "os.posix_spawn", "ctypes.dlopen"}:
        for opened in AUDITED:
            opened.append(" ".join(map(str, arguments)))


sys.addaudithook(_audit)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")


def unit(text: str) -> str:
    return f"[Service]\nExecStart=$EXEC_START\nEnvironment={text}\n[Install]\nWantedBy=multi-user.target\n"


@pytest.mark.parametrize(
    "there",
    ["vendor-units/app.service.d/x.conf", "vendor-units/app.service"],
)
def test_b64_a_name_in_any_unit_path_is_refused(machine: "Machine", there: str) -> None:
    """A package's drop-in would change our unit; theirs may be there though systemd does not know it yet."""
    machine.store("1")
    (machine.root / there).parent.mkdir(parents=True)
    (machine.root / there).write_text("[Service]\nUser=nobody\n")
    before = machine.snapshot()
    with pytest.raises(ConflictError, match=re.escape(there)):
        install(machine.system, "example.org/app", Choices())
    assert machine.snapshot() == before


def test_b64_a_drop_in_of_the_admin_counts_and_is_told(machine: "Machine") -> None:
    """It may be from before an uninstall, or put there first by whoever sets up the host."""
    machine.store("1")
    mine = machine.paths.units / "app.service.d/50-mine.conf"
    mine.parent.mkdir(parents=True)
    mine.write_text("[Service]\nUser=nobody\n")
    install(machine.system, "example.org/app", Choices())
    assert f"{mine} already exists, and applies to app.service" in machine.told()
    uninstall(machine.system, "app")
    assert mine.exists()


def test_b64_a_masked_name_is_refused(machine: "Machine") -> None:
    """A dangling symlink is there as well."""
    machine.store("1")
    (machine.paths.units / "app.service").symlink_to("/nowhere")
    with pytest.raises(ConflictError, match=r"units/app\.service already exists"):
        install(machine.system, "example.org/app", Choices())
    assert (machine.paths.units / "app.service").is_symlink()


def test_b64_an_empty_directory_for_drop_ins_says_nothing(machine: "Machine") -> None:
    """An image like flannel makes one for a container that is installed later."""
    machine.store("1")
    (machine.paths.units / "app.service.d").mkdir()
    install(machine.system, "example.org/app", Choices())
    assert machine.version() == "1"


@pytest.mark.skipif(not Path("/usr/lib/tmpfiles.d/systemd.conf").exists(), reason="needs systemd's own")
@as_root
def test_b65_a_fragment_of_the_hosts_own_is_not_hidden(machine: "Machine") -> None:
    """/etc/tmpfiles.d/systemd.conf would be read in place of the one in /usr/lib; no unit has the name."""
    machine.store("1")
    with pytest.raises(ConflictError, match=r"/tmpfiles\.d/systemd\.conf already exists"):
        install(machine.system, "example.org/app", Choices(), name="systemd")


def refused(machine: "Machine", error: type[OsContainersError], match: str, **settings: str) -> str:
    """Install, see it refused with nothing left of it, and return the message."""
    before = machine.snapshot()
    with pytest.raises(error, match=match) as raised:
        install(machine.system, "example.org/app", Choices(settings))
    assert machine.snapshot() == before
    assert (machine.deployed(), list(machine.paths.staging.iterdir())) == ([], [])
    assert machine.system.repo().pins.commits() == {}
    return raised.value.message


SMALL = '{"process": {"args": ["x"]}, "root": {"path": "rootfs"}, "linux": {}}'
REFUSED: dict[str, tuple[str, Content, str]] = {
    "b50-unterminated": ("service.template", unit("A=${"), r"service\.template:3:15: '\$' does not start"),
    "b50-lone": ("tmpfiles.template", "d /run/a$", r"tmpfiles\.template:1:9: '\$' does not start"),
    "b50-empty": ("config.json.template", "${}", r"config\.json\.template:1:1: '\$' does not start"),
    "b50-minus": ("service.template", unit("A=${a-b}"), r"service\.template:3:15: '\$' does not start"),
    "b55-large": ("service.template", unit("A=1") + "#" * MiB, "larger than 1048576 bytes"),
    "b56-invalid": ("config.json", '{"process": }', "config.json:1:13: not valid JSON"),
    "b56-rendered": (
        "config.json.template",
        '{"process": {},\n "$NAME"}',
        r"config\.json\S*:2:\d+: not valid",
    ),
    "b56-doubled-key": ("config.json", SMALL[:-1] + ', "linux": {}}', r"config\.json:1:\d+: the key 'linux'"),
    "b56-no-process": ("config.json", SMALL.replace("process", "x"), "config.json:1:1: no object 'process'"),
    "b56-no-root": ("config.json", SMALL.replace("root", "x", 1), "config.json:1:1: no object 'root'"),
    "b56-no-linux": ("config.json", SMALL.replace("linux", "x"), "config.json:1:1: no object 'linux'"),
    "b56-other-root": ("config.json", SMALL.replace("rootfs", "/"), r"config\.json:1:\d+: root\.path is '/'"),
    "b56-version": (
        "config.json",
        SMALL[:-1] + ', "ociVersion": "9"}',
        r"config\.json:1:\d+: ociVersion '9'",
    ),
    "b57-no-service": ("service.template", "[Unit]\nDescription=$NAME\n", "Service"),
    "b57-no-exec": ("service.template", "[Service]\nType=simple\n", "ExecStart="),
    "b57-alias": ("service.template", unit("A=1") + "Alias=sshd.service\n", "act on other units"),
    "b57-also": ("service.template", unit("A=1") + "Also=sshd.service\n", "act on other units"),
    "b58-json": ("manifest.json", "{", r"manifest\.json:1:2: not valid JSON"),
    "b58-types": ("manifest.json", '{"renameFiles": []}', r"manifest\.json:1:2: Expected"),
    "b60-dangling": ("tmpfiles.template", Symlink("nowhere"), "not a plain file"),
    "b60-directory": ("service.template", Directory(), "not a plain file"),
    "b60-huge": ("config.json", "{}" + " " * MiB, "larger than 1048576 bytes"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_an_image_that_makes_no_deployment_changes_nothing(machine: "Machine", row: str) -> None:
    """On install, and on update while the old service runs; one line says what is wrong, and where."""
    name, content, match = REFUSED[row]
    machine.store("1", exports={name: content})
    said = refused(machine, ImageError, match)
    assert said.isprintable()
    machine.store("2")
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    before, calls = machine.snapshot(), len(machine.services.calls)
    machine.store("3", exports={name: content})
    with pytest.raises(ImageError, match=match) as raised:
        update(machine.system, "app", Choices())
    assert raised.value.exit_code == 4
    assert machine.snapshot() == before
    assert (machine.version(), machine.deployed()) == ("2", ["1"])
    assert machine.services.calls[calls:] == []


def test_b48_the_missing_values_of_all_templates_are_listed_at_once(machine: "Machine") -> None:
    """Each with its file and line, so that one command can set them all."""
    templates = {
        "config.json.template": SMALL.replace('"x"', '"$A"'),
        "service.template": unit("A=$A\nEnvironment=$B"),
        "tmpfiles.template": "d /run/$NAME\nd /run/${C}\n",
    }
    machine.store("1", exports=templates)
    said = refused(machine, UsageError, "no value for")
    listed = ["A (exports/config.json.template:1)", "A (exports/service.template:3)"]
    listed += ["B (exports/service.template:4)", "C (exports/tmpfiles.template:2)"]
    assert said == f"no value for {', '.join(listed)}"
    install(machine.system, "example.org/app", Choices({"A": "1", "B": "2", "C": "3"}))
    machine.store("2", exports={"service.template": unit("D=$D")})
    with pytest.raises(UsageError, match="no value for D"):
        update(machine.system, "app", Choices())
    assert (machine.version(), machine.deployed()) == ("1", ["1"])


@as_root
@pytest.mark.parametrize(
    ("row", "target"),
    [
        ("b62-relative", "etc/a"),
        ("b62-up", "/etc/../../a"),
        ("b62-nul", "/etc/a\0b"),
        ("b62-undefined", "/etc/$MISSING"),
        ("b62-two-for-one", "HOST/b"),
    ],
)
def test_b62_a_rename_to_nowhere_changes_nothing(machine: "Machine", row: str, target: str) -> None:
    """Nothing of the image's other host files is there either."""
    renames = {f"{machine.host_file('a')}": target.replace("HOST", str(machine.root / "host"))}
    exports = {machine.exported(name): name for name in ("a", "b", "c")}
    machine.store("1", exports={"manifest.json": json.dumps({"renameFiles": renames}), **exports})
    error = UsageError if row == "b62-undefined" else ImageError
    refused(machine, error, r"exports/(manifest\.json|hostfs has two files)|no value for MISSING")


@as_root
def test_b60_a_symlink_among_the_templates_for_the_host_is_not_read(machine: "Machine") -> None:
    """It is a symlink on the host as well, whatever it points to."""
    secret = machine.root / "secret"
    secret.write_text("$NAME")
    manifest = {"installedFilesTemplate": [str(machine.host_file("a"))]}
    exports = {"manifest.json": json.dumps(manifest), machine.exported("a"): Symlink(str(secret))}
    machine.store("1", exports=exports)
    install(machine.system, "example.org/app", Choices())
    assert machine.host_file("a").readlink() == secret
    assert secret.read_text() == "$NAME"


@pytest.mark.parametrize(
    "files", [pytest.param(0, id="values alone"), pytest.param(100, id="with host files", marks=as_root)]
)
def test_b97_an_image_that_fills_the_record_changes_nothing(machine: "Machine", files: int) -> None:
    """What could be installed and never be read again is refused before the host changes."""
    values = {f"V{number}": "x" * 65_500 for number in range(255 if files else 257)}
    exported = {machine.exported(f"{number:0200}"): "x" for number in range(files)}
    manifest = json.dumps({"defaultValues": dict.fromkeys(values, "")})
    machine.store("1", exports={**exported, "manifest.json": manifest})
    before = machine.snapshot()
    with pytest.raises(ImageError, match="the record of the deployment has"):
        install(machine.system, "example.org/app", Choices(values))
    assert machine.snapshot() == before
    assert (machine.deployed(), machine.system.journals.names()) == ([], [])
    # for our own unit, which came and went
    assert machine.services.calls == ["reload", "reload"]


@pytest.mark.parametrize("suffix", [".service", ".socket"])
def test_b63_a_name_that_comes_from_the_image_is_looked_at_too(machine: "Machine", suffix: str) -> None:
    """The container would have the unit app.service.service; a name can be given."""
    machine.store("1", name=f"example.org/app{suffix}:latest")
    before = machine.snapshot()
    with pytest.raises(UsageError, match="ends like a systemd unit"):
        install(machine.system, f"example.org/app{suffix}", Choices())
    assert machine.snapshot() == before
    install(machine.system, f"example.org/app{suffix}", Choices(), name="app")


INJECTIONS = [
    ("config.json.template", '{"process": {"args": ["$X"]}, "root": {"path": "rootfs"}, "linux": {}}', '"'),
    ("service.template", "[Service]\nExecStart=$EXEC_START\nEnvironment=A=$X\n", "a B=b"),
    ("service.template", "[Service]\nExecStart=$EXEC_START\nDescription=$X\n", "100%"),
    ("tmpfiles.template", "d $X/app 0700\n", "/srv/my data"),
]


@pytest.mark.parametrize(("name", "text", "value"), INJECTIONS)
def test_b54_a_setting_that_leaves_its_place_is_a_usage_error(
    machine: "Machine", name: str, text: str, value: str
) -> None:
    """It names the variable and where it is used; a value that fits is taken."""
    machine.store("1", exports={name: text})
    said = refused(machine, UsageError, "the value of X", X=value)
    assert said.startswith(f"exports/{name}:")
    install(machine.system, "example.org/app", Choices({"X": "fits"}))


@pytest.mark.parametrize(
    ("name", "text", "value"), [*INJECTIONS, ("service.template", INJECTIONS[1][1], "x\nExecStartPre=/bin/x")]
)
def test_b53_b54_a_default_that_leaves_its_place_is_the_images_fault(
    machine: "Machine", name: str, text: str, value: str
) -> None:
    """Whoever sets another value is not kept from the image."""
    manifest = json.dumps({"defaultValues": {"X": value}})
    machine.store("1", exports={name: text, "manifest.json": manifest})
    refused(machine, ImageError, "the value of X")
    install(machine.system, "example.org/app", Choices({"X": "fits"}))


def test_b54_a_host_file_is_free_text(machine: "Machine") -> None:
    """Its form is the affair of whoever reads it."""
    manifest = json.dumps(
        {
            "defaultValues": {"X": "two\nlines, 100%"},
            "installedFilesTemplate": [f"{machine.host_file('conf')}"],
        }
    )
    machine.store("1", exports={"manifest.json": manifest, machine.exported("conf"): "x=$X"})
    install(machine.system, "example.org/app", Choices())
    if os.geteuid() == 0:
        assert machine.host_file("conf").read_text() == "x=two\nlines, 100%"


def test_b59_an_unknown_key_of_the_export_manifest_is_told(machine: "Machine") -> None:
    """And nothing else happens to it."""
    machine.store("1", exports={"manifest.json": '{"defaultvalues": {}}'})
    install(machine.system, "example.org/app", Choices())
    assert "exports/manifest.json has the unknown key 'defaultvalues'" in machine.told()


def test_b57_a_unit_that_systemd_refuses_changes_nothing(machine: "Machine") -> None:
    """It is asked before the host changes, on install and on update."""
    machine.services.malformed = {"BOGUS"}
    machine.store("1", exports={"service.template": unit("BOGUS=1")})
    refused(machine, ImageError, "systemd does not accept the unit of the image")
    machine.store("1", exports={"service.template": unit("A=1")})
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    before = machine.snapshot()
    machine.store("2", exports={"service.template": unit("BOGUS=1")})
    with pytest.raises(ImageError):
        update(machine.system, "app", Choices())
    assert machine.snapshot() == before
    assert (machine.version(), machine.deployed()) == ("1", ["1"])
    assert "stop app.service" not in machine.services.calls


@pytest.mark.parametrize("name", ["config.json.template", "manifest.json", "service.template"])
def test_b60_cve_2024_29068_exports_that_are_links_change_nothing(machine: "Machine", name: str) -> None:
    """What they point to is not read, whatever it is."""
    machine.store("1", exports={name: Symlink("/dev/zero")})
    refused(machine, ImageError, f"exports/{name} is not a plain file")


def test_cve_2022_1227_cve_2019_14271_nothing_of_the_image_is_executed_or_loaded(machine: "Machine") -> None:
    """No program, no library: an image is not asked who its users are."""
    opened: list[str] = []
    AUDITED.append(opened)
    machine.store("1", user="app", more={"/etc/passwd": "app:x:7:7::/:/bin/sh\n"})
    try:
        install(machine.system, "example.org/app", Choices())
        update(machine.system, "app", Choices({"UUID": "1"}))
        uninstall(machine.system, "app")
    finally:
        AUDITED.remove(opened)
    assert any("systemd" in one or "crun" in one for one in opened), "the audit works"
    assert [one for one in opened if str(machine.paths.state) in one.split()[0]] == []


@as_root
@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6755])
def test_cve_2017_9780_a_setuid_host_file_needs_the_admins_word(machine: "Machine", mode: int) -> None:
    """It would be root's gift to every user of the host."""
    machine.store("1", exports={machine.exported("su"): File("x", mode=mode)})
    refused(machine, PolicyError, "su")
    assert not machine.host_file("su").exists()


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o701])
def test_cve_2021_41091_cve_2021_41103_setuid_files_are_out_of_reach(machine: "Machine", mode: int) -> None:
    """Nobody else may enter our state, whatever the umask was and whoever made it."""
    machine.paths.state.mkdir(mode=mode)
    machine.paths.state.chmod(mode)
    machine.store("1", more={"/bin/su": File("x", mode=0o4755)})
    umask = os.umask(0)
    try:
        deployment = install(machine.system, "example.org/app", Choices())
    finally:
        os.umask(umask)
    assert stat.S_IMODE(machine.paths.state.stat().st_mode) == 0o700
    assert stat.S_IMODE(deployment.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(deployment.config.stat().st_mode) == 0o600


def test_cve_2024_32462_an_argument_of_the_image_stays_an_argument(machine: "Machine") -> None:
    """A command that looks like options stands in config.json, not on the runtime's command line."""
    machine.store("1", cmd=["--bind", "/etc", "/evil"])
    deployment = install(machine.system, "example.org/app", Choices())
    assert json.loads(deployment.config.read_text())["process"]["args"] == ["--bind", "/etc", "/evil"]
    assert (
        f"ExecStart={machine.root}/crun run --bundle {machine.paths.state}/app app\n"
        in deployment.unit_text()
    )
    with pytest.raises(UsageError, match="not a container name"):
        install(machine.system, "example.org/app", Choices(), name="--command=x")


def test_cve_2023_28100_the_container_has_no_terminal_of_ours(machine: "Machine") -> None:
    """Whatever the image asks for: on a console it could type for the one who sits there."""
    config = '{"process": {"args": ["x"], "terminal": true}, "root": {"path": "rootfs"}, "linux": {}}'
    machine.store("1", exports={"config.json": config})
    deployment = install(machine.system, "example.org/app", Choices())
    assert json.loads(deployment.config.read_text())["process"]["terminal"] is False


@pytest.mark.parametrize(
    ("key", "fits", "error"),
    [
        pytest.param("template", 37, "larger than 36 bytes", id="b55"),
        pytest.param("values", 2, "more than 1 values", id="b53 values"),
        pytest.param("value", 3, "more than 2 bytes", id="b53 value"),
        pytest.param("host-files", None, r"more than \d+ files", id="b60"),
    ],
)
def test_limits_of_the_configuration_are_those_of_a_deployment(
    machine: "Machine", key: str, fits: int | None, error: str
) -> None:
    """The limit itself fits; one less does not."""
    manifest = '{"defaultValues":{"A":"1","B":"333"}}'
    exports = {"manifest.json": manifest, machine.exported("x"): "x"}
    # each directory on the way is one of the files
    fits = fits or machine.exported("x").count("/")
    machine.store("1", exports=exports)
    config = machine.paths.config_files[-1]
    config.parent.mkdir(parents=True)
    config.write_text(f"[limits]\n{key} = {fits - 1}\n")
    with pytest.raises(ImageError, match=error):
        install(machine.system, "example.org/app", Choices())
    config.write_text(f"[limits]\n{key} = {fits}\n")
    install(machine.system, "example.org/app", Choices())
