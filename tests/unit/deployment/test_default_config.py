"""The runtime configuration of an image that ships none."""

from pathlib import Path

import pytest

from os_containers.deployment.accounts import Account, find_account
from os_containers.deployment.default_config import default_config, volume_directory
from os_containers.errors import ImageError
from os_containers.image.manifest import ContainerConfig


def test_default_config_runs_what_the_image_config_says() -> None:
    """Entrypoint and cmd, env, user, working directory; the root is read-only."""
    wanted = ContainerConfig(
        entrypoint=("/bin/a",), cmd=("-b",), env=("X=1",), working_dir="/srv", volumes=("/var/lib/db",)
    )
    config = default_config(wanted, name="db", account=Account(5, 6, (7,)), state_directory=Path("/var/lib"))
    process = config["process"]
    assert process["args"] == ["/bin/a", "-b"]
    assert process["cwd"] == "/srv"
    assert process["user"] == {"uid": 5, "gid": 6, "additionalGids": [7]}
    assert process["env"] == ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "X=1"]
    assert config["root"] == {"path": "rootfs", "readonly": True}
    volume = next(one for one in config["mounts"] if one["destination"] == "/var/lib/db")
    assert volume["source"] == "/var/lib/db/var-lib-db"


@pytest.mark.parametrize(
    ("volume", "directory"),
    [
        ("/data", "data"),
        ("/data/", "data"),
        ("//data/./log", "data-log"),
        ("/data-log", "data+2dlog"),
        ("/data+2dlog", "data+2b2dlog"),
        ("/data-/log", "data+2d-log"),
        ("/data/-log", "data-+2dlog"),
    ],
)
def test_volumes_have_a_directory_each(volume: str, directory: str) -> None:
    """Slashes become dashes; what could be mistaken for that is written otherwise."""
    assert volume_directory(Path("/var/lib"), "db", volume) == Path("/var/lib/db", directory)


@pytest.mark.parametrize(
    "volume", ["", "/", "//", "data", "../data", "/data/..", "/a\0", "/a\nb", "/" + "a" * 256]
)
def test_volumes_that_are_no_paths_beneath_the_root_are_refused(volume: str) -> None:
    """The host's directories stay those of this container."""
    with pytest.raises(ImageError, match="volume"):
        volume_directory(Path("/var/lib"), "db", volume)


def test_default_config_cuts_the_hostname() -> None:
    """Linux has room for 64 bytes, and the name of a container may be longer."""
    config = default_config(
        ContainerConfig(cmd=("a",)), name="a" * 65, account=Account(0, 0), state_directory=Path("/var/lib")
    )
    assert config["hostname"] == "a" * 64


def test_default_config_keeps_the_images_path() -> None:
    """PATH is added only where the image has none."""
    wanted = ContainerConfig(cmd=("a",), env=("PATH=/opt/bin",))
    config = default_config(wanted, name="a", account=Account(0, 0), state_directory=Path("/var/lib"))
    assert config["process"]["env"] == ["PATH=/opt/bin"]


def test_default_config_shares_the_hosts_network() -> None:
    """A system container is a host service."""
    config = default_config(
        ContainerConfig(cmd=("a",)), name="a", account=Account(0, 0), state_directory=Path("/var/lib")
    )
    assert {one["type"] for one in config["linux"]["namespaces"]} == {"pid", "ipc", "uts", "mount"}


def test_default_config_needs_a_command() -> None:
    """An image that names none cannot be a service."""
    with pytest.raises(ImageError, match="no command"):
        default_config(ContainerConfig(), name="a", account=Account(0, 0), state_directory=Path("/var/lib"))


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\netcd:x:100:101::/:/bin/sh\nbad line\n")
    (tmp_path / "etc/group").write_text("root:x:0:\netcd:x:101:\nssl:x:102:other,etcd\n")
    return tmp_path


@pytest.mark.parametrize(
    ("user", "account"),
    [
        ("", Account(0, 0)),
        ("etcd", Account(100, 101, (101, 102))),
        ("100", Account(100, 101, (101, 102))),
        ("etcd:ssl", Account(100, 102)),
        ("etcd:7", Account(100, 7)),
        ("4242", Account(4242, 0)),
        ("4242:43", Account(4242, 43)),
    ],
)
def test_find_account_knows_names_and_numbers(rootfs: Path, user: str, account: Account) -> None:
    """As the OCI image specification writes a user."""
    assert find_account(rootfs, user) == account


@pytest.mark.parametrize("user", ["nobody", "etcd:nogroup", "-1", "4294967295", "é", "9" * 5000])
def test_b42_find_account_refuses_unknown_names_and_numbers_out_of_range(rootfs: Path, user: str) -> None:
    """The image is named as the place to mend."""
    with pytest.raises(ImageError, match="is unknown: the image has no"):
        find_account(rootfs, user)


@pytest.mark.parametrize("gid", ["4294967295", "9999999999", "-1", "one"])
def test_b42_a_group_that_no_kernel_knows_has_no_members(rootfs: Path, gid: str) -> None:
    """The runtime would refuse the container for it; -1 means "none" to the kernel."""
    with (rootfs / "etc/group").open("a") as file:
        file.write(f"odd:x:{gid}:etcd\nlast:x:4294967294:etcd\n")
    assert find_account(rootfs, "etcd") == Account(100, 101, (101, 102, 4294967294))


def test_b60_find_account_never_reads_the_hosts_passwd(tmp_path: Path) -> None:
    """A symlink in place of /etc/passwd is as good as none (CVE-2024-9676)."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").symlink_to("/etc/passwd")
    with pytest.raises(ImageError):
        find_account(tmp_path, "daemon")
