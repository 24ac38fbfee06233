"""The fsync lint sees what is not durable, and only that."""

import pytest

from torture.inside.lint import find_undurable, parse

STATE = "/var/lib/containers/atomic"
UNITS = "/etc/systemd/system"
INFO = f"{STATE}/.deploy/x/1/info"
TEMPORARY = f"{STATE}/.deploy/x/1/.os-containers-0123456789abcdef"
OPENED = f'1 openat(AT_FDCWD</>, "{TEMPORARY}", O_WRONLY|O_CREAT|O_EXCL, 0600) = 3<{TEMPORARY}>'
WRITTEN = f'1 write(3<{TEMPORARY}>, "x", 1) = 1'
SYNCED = f"1 fsync(3<{TEMPORARY}>) = 0"
RENAMED = f'1 rename("{TEMPORARY}", "{INFO}") = 0'
DIRECTORY_SYNCED = f"1 fsync(3<{STATE}/.deploy/x/1>) = 0"


def lint(*lines: str) -> list[str]:
    return find_undurable(parse("\n".join(lines)))


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ((OPENED, WRITTEN, SYNCED, RENAMED, DIRECTORY_SYNCED), []),
        (
            (OPENED, WRITTEN, RENAMED, DIRECTORY_SYNCED),
            [
                f"{INFO}: renamed into place, its content not synced: {STATE}/.deploy/x/1/.os-containers-*",
            ],
        ),
        (
            (OPENED, WRITTEN, SYNCED, RENAMED),
            [f"{INFO}: renamed into place, its directory not synced"],
        ),
        (
            (OPENED, WRITTEN, SYNCED, DIRECTORY_SYNCED, RENAMED),
            [f"{INFO}: renamed into place, its directory not synced"],
        ),
        # the write comes after the fsync
        (
            (OPENED, SYNCED, WRITTEN, RENAMED, DIRECTORY_SYNCED),
            [
                f"{INFO}: renamed into place, its content not synced: {STATE}/.deploy/x/1/.os-containers-*",
            ],
        ),
        ((OPENED, WRITTEN, f"1 syncfs(4<{STATE}>) = 0", RENAMED, DIRECTORY_SYNCED), []),
    ],
)
def test_a_file_needs_its_content_before_and_its_name_after(lines: list[str], found: list[str]) -> None:
    """Write, fsync, rename, fsync of the directory: whatever is missing or late is told."""
    assert lint(*lines) == found


def test_a_symlink_and_a_removal_need_their_directory() -> None:
    """Both change names only; what is made for a moment does not count."""
    assert lint(
        f'1 symlink(".deploy/x/1", "{STATE}/.os-containers-0123456789abcdef") = 0',
        f'1 rename("{STATE}/.os-containers-0123456789abcdef", "{STATE}/x") = 0',
        f'1 unlink("{UNITS}/x.service") = 0',
    ) == [
        f"{UNITS}/x.service: removed, its directory not synced",
        f"{STATE}/x: renamed into place, its directory not synced",
    ]


def test_systemctl_enable_makes_names_that_nobody_synced() -> None:
    """Systemd writes the links itself, and syncs neither of the directories."""
    enabled = (
        '2 execve("/usr/bin/systemctl", ["systemctl", "enable", "--", "x.service"], 0x1 /* 8 vars */) = 0'
    )
    wants = f"{UNITS}/multi-user.target.wants"
    assert lint(enabled) == [
        f"{wants}/x.service: systemctl enable, its directory not synced",
        f"{UNITS}/x.service: systemctl enable, its directory not synced",
    ]
    assert lint(enabled, f"1 fsync(3<{UNITS}>) = 0", f"1 fsync(3<{wants}>) = 0") == []


def test_a_call_that_was_interrupted_in_the_log_is_put_together() -> None:
    """Strace writes a call of one process in two parts when another one is faster."""
    assert (
        lint(
            OPENED,
            f"1 fsync(3<{TEMPORARY}> <unfinished ...>",
            "2 fsync(9</tmp/x>) = 0",
            "1 <... fsync resumed>) = 0",
            RENAMED,
            DIRECTORY_SYNCED,
        )
        == []
    )


def test_a_call_that_failed_changed_nothing() -> None:
    """ENOENT of an unlink needs no fsync."""
    assert lint(f'1 unlink("{UNITS}/x.service") = -1 ENOENT (No such file or directory)') == []


def test_a_ref_needs_its_objects_to_be_synced() -> None:
    """A ref that survives a power cut must not name objects that do not."""
    repo = f"{STATE}/.storage/repo"
    made = f'1 linkat(5<{repo}/tmp>, "a", 6<{repo}/objects/ab>, "cd.file", 0) = 0'
    ref = f"{repo}/refs/heads/ociimage/x"
    named = f'1 rename("{ref}.new", "{ref}") = 0'
    synced = f"1 fsync(7<{repo}/refs/heads/ociimage>) = 0"
    assert lint(made, named, synced) == [f"{ref}: a ref to objects that are not synced: 1"]
    assert lint(made, f"1 syncfs(7<{repo}>) = 0", named, synced) == []
