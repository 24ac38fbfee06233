"""Which host files need the admin's word."""

from pathlib import Path

import pytest

from os_containers.deployment.exports import FileKind
from os_containers.deployment.host_tree import HostFile
from os_containers.deployment.record import Approved
from os_containers.errors import PolicyError, UsageError
from os_containers.host.host_policy import Permission, approve, is_sensitive, parse_policy


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/cron.d/x", "/etc/cron.daily/x", "/etc/crontab", "/var/spool/cron/crontabs/root"),
        *("/etc/sudoers", "/etc/sudoers.d/x", "/etc/pam.d/sshd", "/etc/pam.conf"),
        *("/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/ld.so.conf.d/x.conf"),
        *("/etc/systemd/system/x.service", "/usr/local/lib/systemd/system/x.service", "/run/systemd/x"),
        *("/etc/udev/rules.d/x", "/etc/polkit-1/rules.d/x", "/usr/share/polkit-1/actions/x"),
        *("/etc/profile", "/etc/profile.d/x.sh", "/etc/modprobe.d/x.conf", "/etc/sysctl.d/x.conf"),
        *("/etc/sysctl.conf", "/root/.bashrc", "/home/ann/x", "/boot/vmlinuz", "/efi/x"),
        *("/usr/lib/x", "/usr/lib64/x.so", "/usr/libexec/x", "/lib/x", "/lib64/x", "/usr/lib/python3/x"),
        *("/etc/passwd", "/etc/passwd-", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/ssh/sshd_config"),
        *("/etc/tmpfiles.d/x.conf", "/etc/dbus-1/system.d/x.conf", "/etc/os-containers/policy.toml"),
        *("/var/lib/containers/atomic/x", "/etc/containers/policy.json", "/srv/x/.ssh/authorized_keys"),
        *("/proc/sys/kernel/core_pattern", "/dev/x", "/sys/x"),
    ],
)
def test_b74_a_place_that_others_act_on_needs_permission(path: str) -> None:
    """It is refused with the option that allows it; exit code 5."""
    assert is_sensitive(path)
    with pytest.raises(PolicyError, match=path) as raised:
        approve([file(path)], Permission(), Approved())
    assert raised.value.hint is not None
    assert f"--allow-host-path {path}" in raised.value.hint
    assert raised.value.exit_code == 5


@pytest.mark.parametrize(
    "path",
    [
        *("/usr/local/bin/app", "/usr/bin/appctl", "/usr/local/sbin/app", "/usr/sbin/app"),
        *("/etc/app/app.conf", "/etc/app.conf", "/etc/cornice/x", "/etc/default/app", "/etc/etcd/etcd.conf"),
        *("/srv/app", "/opt/app/x", "/var/lib/app/x", "/usr/share/app/x", "/usr/local/share/app"),
        *(
            "/etc/logrotate.d/app",
            "/etc/rsyslog.d/app",
            "/etc/systemd-app/x",
            "/etc/bootstrap/x",
            "/rootfs/x",
        ),
    ],
)
def test_b74_other_places_need_none(path: str) -> None:
    """The container's own, and commands with new names."""
    assert not is_sensitive(path)
    assert approve([file(path)], Permission(), Approved()) == Approved()


@pytest.mark.parametrize("allowed", ["/etc/cron.d/app", "/etc/cron.d", "/etc/cron.d/", "/etc", "/"])
def test_b74_a_path_or_a_directory_above_it_can_be_allowed(allowed: str) -> None:
    """What was allowed is what was needed, not more."""
    approved = approve([file("/etc/cron.d/app")], Permission.parse([allowed], setuid=False), Approved())
    assert approved == Approved(paths=("/etc/cron.d/app",))


@pytest.mark.parametrize("allowed", ["/etc/cron.d/ap", "/etc/cron.d/app/x", "/etc/cron.daily"])
def test_b74_a_path_beside_it_does_not_allow_it(allowed: str) -> None:
    """Names are whole."""
    with pytest.raises(PolicyError):
        approve([file("/etc/cron.d/app")], Permission.parse([allowed], setuid=False), Approved())


def test_b74_the_real_path_counts_too() -> None:
    """The link was the image's idea, or a merged /usr's."""
    with pytest.raises(PolicyError, match=r"/etc/cron\.d/x"):
        approve([(file("/srv/jobs/x")[0], "/etc/cron.d/x")], Permission(), Approved())


@pytest.mark.parametrize("allowed", ["/lib/app", "/usr/lib/app"])
def test_b74_either_name_of_a_path_can_be_allowed(allowed: str) -> None:
    """The real one is remembered."""
    library = [(file("/lib/app/x")[0], "/usr/lib/app/x")]
    approved = approve(library, Permission((allowed,)), Approved())
    assert approved == Approved(paths=("/usr/lib/app/x",))
    assert approve(library, Permission(), approved) == approved


def test_b74_what_was_allowed_before_is_allowed_again_and_no_more() -> None:
    """An update asks only for what is new."""
    before = Approved(paths=("/etc/cron.d/app",))
    assert approve([file("/etc/cron.d/app")], Permission(), before) == before
    with pytest.raises(PolicyError, match=r"/etc/cron\.d/new"):
        approve([file("/etc/cron.d/app"), file("/etc/cron.d/new")], Permission(), before)


def test_b74_all_that_needs_a_word_is_named_at_once() -> None:
    """With the options that give it."""
    su = (HostFile("/usr/local/bin/su", FileKind.FILE, 0o4755, "", Path()), "/usr/local/bin/su")
    with pytest.raises(PolicyError) as caught:
        approve([file("/etc/cron.d/a"), file("/etc/cron.d/b"), su], Permission(), Approved())
    assert "/etc/cron.d/a and /etc/cron.d/b" in caught.value.message
    assert "/usr/local/bin/su is setuid" in caught.value.message
    for option in ("--allow-host-path /etc/cron.d/a", "--allow-host-path /etc/cron.d/b", "--allow-setuid"):
        assert option in (caught.value.hint or "")


def test_b74_a_directory_needs_none() -> None:
    """Images bring all directories above their files."""
    directory = HostFile("/usr/lib", FileKind.DIRECTORY, 0o755, "", Path())
    assert approve([(directory, "/usr/lib")], Permission(), Approved()) == Approved()


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6755])
def test_b73_cve_2017_9780_setuid_needs_permission(mode: int) -> None:
    """Which is remembered for that file."""
    with pytest.raises(PolicyError, match="/usr/bin/su is setuid or setgid") as raised:
        approve([file("/usr/bin/su", mode)], Permission(), Approved())
    assert raised.value.hint is not None
    assert "--allow-setuid" in raised.value.hint
    approved = approve([file("/usr/bin/su", mode)], Permission(setuid=True), Approved())
    assert approved == Approved(setuid=("/usr/bin/su",))
    assert approve([file("/usr/bin/su", mode)], Permission(), approved) == approved
    with pytest.raises(PolicyError):
        approve([file("/usr/bin/other", mode)], Permission(), approved)


def test_b73_so_do_capabilities() -> None:
    """They are the same gift in another wrapping."""
    ping = HostFile("/usr/bin/ping", FileKind.FILE, 0o755, "", Path(), b"\1")
    with pytest.raises(PolicyError, match="/usr/bin/ping has capabilities"):
        approve([(ping, "/usr/bin/ping")], Permission(), Approved())


def test_b74_a_policy_file_allows_paths_for_all_containers() -> None:
    """Without one, and in an empty one, there are none."""
    assert parse_policy(b'allow-host-paths = ["/etc/cron.d", "/boot/"]') == ("/etc/cron.d", "/boot")
    assert parse_policy(b"# nothing\n") == ()


@pytest.mark.parametrize(
    "raw",
    [
        b"allow-host-paths = [",
        b'allow-host-paths = "/etc"',
        b"allow-host-paths = [1]",
        b'allow-host-paths = ["etc"]',
        b'allow-host-paths = ["/etc/../root"]',
        b'allow-host-path = ["/etc"]',
        b"\xff",
    ],
)
def test_b74_a_policy_file_that_is_none_refuses_everything(raw: bytes) -> None:
    """Not read as one that allows nothing, for the admin means something."""
    with pytest.raises(PolicyError, match=r"policy\.toml"):
        parse_policy(raw)


@pytest.mark.parametrize("path", ["", "etc", "/etc/../root", "."])
def test_b74_an_option_needs_an_absolute_path(path: str) -> None:
    """Exit code 2."""
    with pytest.raises(UsageError):
        Permission.parse([path], setuid=False)


def file(path: str, mode: int = 0o644) -> tuple[HostFile, str]:
    return HostFile(path, FileKind.FILE, mode, "", Path()), path
