"""The texts that systemd reads."""

from pathlib import Path

import pytest

from os_containers.deployment.template import render
from os_containers.errors import ImageError
from os_containers.host.runtime import Runtime
from os_containers.host.unit import (
    check_unit,
    default_service_template,
    directories_of,
    exec_line,
    exec_variables,
    for_user,
    install_section,
    render_drop_in,
    render_tmpfiles,
    slice_path,
)
from os_containers.paths import Mode


def test_the_default_unit_is_a_unit() -> None:
    """It stops the container with the image's own signal."""
    commands = Runtime(Path("/usr/bin/crun")).service_commands(
        "etcd", Path("/d/1"), pid_file=None, stop_signal="SIGINT"
    )
    values = exec_variables(commands) | {"NAME": "etcd", "IMAGE_NAME": "i", "DESTDIR": "/d/1"}
    template = default_service_template(mode=Mode.SYSTEM, stop_signal="SIGINT")
    unit = render(template, values, source="unit").decode()
    check_unit(unit)
    assert "ExecStart=/usr/bin/crun run --bundle /d/1 etcd\n" in unit
    assert "KillSignal=SIGINT\n" in unit
    assert install_section(unit) == ("WantedBy=multi-user.target",)


def test_the_default_unit_of_a_user_starts_with_the_session() -> None:
    """A user's manager has no multi-user.target."""
    unit = default_service_template(mode=Mode.USER, stop_signal="SIGTERM").decode()
    assert install_section(unit) == ("WantedBy=default.target",)


def test_for_user_changes_only_the_install_section() -> None:
    """After= is the image's own affair."""
    unit = "[Unit]\nAfter=multi-user.target\n[Install]\nWantedBy=multi-user.target\n"
    assert for_user(unit) == "[Unit]\nAfter=multi-user.target\n[Install]\nWantedBy=default.target\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["/usr/bin/crun", "run", "a"], "/usr/bin/crun run a"),
        (["/opt/my crun", "a'b", ""], '"/opt/my crun" "a\'b" ""'),
        (["100%", "$HOME", 'a"b', "c\\d"], '100%% $$HOME "a\\"b" c\\\\d'),
    ],
)
def test_exec_line_quotes_what_systemd_would_change(words: list[str], line: str) -> None:
    """Blanks, quotes, specifiers and variables."""
    assert exec_line(words) == line


def test_a_pid_file_means_a_detached_runtime() -> None:
    """As a unit of Type=forking wants it; the option is --pid-file."""
    commands = Runtime(Path("/usr/bin/runc")).service_commands(
        "a", Path("/b"), pid_file=Path("/run/a.pid"), stop_signal="SIGTERM"
    )
    assert commands.start == (
        "/usr/bin/runc",
        "run",
        "--detach",
        "--pid-file",
        "/run/a.pid",
        "--bundle",
        "/b",
        "a",
    )


@pytest.mark.parametrize("unit", ["", "[Unit]\nExecStart=/x\n", "[Service]\n", "[Service]\nExecStart=\n"])
def test_b57_a_unit_that_can_start_nothing_is_refused(unit: str) -> None:
    """Before it is put anywhere."""
    with pytest.raises(ImageError):
        check_unit(unit)


def test_install_section_reads_settings_only() -> None:
    """Comments and other sections do not matter, nor does the order."""
    unit = "[Install]\n# no\nWantedBy=b\nAlias=a\n\n[Service]\nExecStart=/x\n"
    assert install_section(unit) == ("Alias=a", "WantedBy=b")
    assert install_section("[Service]\n") == ()


def test_the_drop_in_asks_for_a_subgroup_where_systemd_knows_it() -> None:
    """DelegateSubgroup= came with systemd 254."""
    old = render_drop_in(systemd_version=252)
    assert old == "[Unit]\nAfter=os-containers-recover.service\n\n[Service]\nDelegate=yes\n"
    assert render_drop_in(systemd_version=257) == old + "DelegateSubgroup=supervisor\n"


def test_tmpfiles_directories_are_read_back() -> None:
    """Ours and those of an image."""
    text = render_tmpfiles([("/var/lib/a", 0o700, 1, 2)])
    assert text == 'd "/var/lib/a" 0700 1 2 -\n'
    hostile = render_tmpfiles([('/a"b\\c %h', 0o700, 0, 0)])
    assert hostile == 'd "/a\\"b\\\\c %%h" 0700 0 0 -\n'
    assert directories_of(hostile + "d %S/x\n") == ['/a"b\\c %h']
    assert directories_of(text + "# x\nD /run/a 0755 - -\nr /run/b\n") == ["/var/lib/a", "/run/a"]


@pytest.mark.parametrize(
    ("unit", "path"),
    [
        ("[Service]\nExecStart=/x\n", "system.slice"),
        ("[Service]\nSlice=machine.slice\n", "machine.slice"),
        ("[Service]\nSlice = a-b-c.slice\n", "a.slice/a-b.slice/a-b-c.slice"),
    ],
)
def test_slice_path_is_where_systemd_puts_the_unit(unit: str, path: str) -> None:
    """Dashes in a slice's name mean that it lies in another."""
    assert slice_path(unit, default="system") == path
