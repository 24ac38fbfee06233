"""The texts that systemd reads."""

import re
import shlex
from pathlib import Path

import pytest

from os_containers.deployment.template import render
from os_containers.errors import ImageError
from os_containers.host.runtime import Runtime
from os_containers.host.unit import (
    check_unit,
    clean_up_after,
    default_service_template,
    directories_of,
    exec_line,
    exec_variables,
    for_user,
    install_section,
    render_drop_in,
    render_tmpfiles,
    slice_path,
    stop_at_ease,
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
    unit = "[Unit]\nDescription=[Install]\nAfter=multi-user.target\n[Install]\nWantedBy=multi-user.target\n"
    changed = unit.replace("WantedBy=multi-user.target", "WantedBy=default.target")
    assert for_user(unit) == changed


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


@pytest.mark.parametrize(
    "line",
    ["Alias=sshd.service", "Also=getty@.service", " Alias = x.service", "Al\\\nias=x", "Alias=\\\nx.service"],
)
def test_b57_a_unit_takes_no_other_units_name(line: str) -> None:
    """An alias would be another unit, Also= would enable one."""
    unit = f"[Service]\nExecStart=/x\n[Install]\nWantedBy=multi-user.target\n{line}\n"
    if "Al\\" in line:
        check_unit(unit)  # to systemd that is an unknown key, `Al ias`: systemd-analyze refuses it
        return
    with pytest.raises(ImageError, match="it would act on other units"):
        check_unit(unit)


def test_b57_what_only_looks_like_an_alias_is_none() -> None:
    """In a comment, in another section, or without a value."""
    check_unit("[Service]\nExecStart=/x\n#Alias=a\nAlias=b\n[Install]\n; Also=c\nAlias=\n")


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


def test_cve_2018_6954_cve_2017_18078_our_fragments_make_directories_and_nothing_else() -> None:
    """No recursive type, which would follow what the container's user put there; root owns what is above."""
    text = render_tmpfiles([("/var/lib/db", 0o711, 0, 0), ("/var/lib/db/data", 0o755, 999, 999)])
    assert text == 'd "/var/lib/db" 0711 0 0 -\nd "/var/lib/db/data" 0755 999 999 -\n'


def test_cve_2026_3888_our_fragments_let_nothing_age() -> None:
    """A directory that was cleaned away could be made anew by somebody else."""
    (line,) = render_tmpfiles([("/var/lib/db", 0o711, 0, 0)]).splitlines()
    assert line.split()[5] == "-"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ('/a" 0777 0 0 -\nf+ /etc/passwd', None),
        ('/a" 0777 "', 'd "/a\\" 0777 \\"" 0700 0 0 -\n'),
        ("/home/%h", 'd "/home/%%h" 0700 0 0 -\n'),
    ],
)
def test_cve_2021_4120_a_path_adds_no_rule(path: str, line: str | None) -> None:
    """A directory's name is data: quoted, escaped, in one line."""
    if line is None:
        with pytest.raises(ImageError, match="control character"):
            render_tmpfiles([(path, 0o700, 0, 0)])
    else:
        assert render_tmpfiles([(path, 0o700, 0, 0)]) == line


@pytest.mark.parametrize(
    "word", ["%h", "$HOME", "${X}", ";", "a b", "a;b", '"', "'", "\\", "", "--command=--x"]
)
def test_cve_2021_21381_words_of_a_command_line_are_no_tokens(word: str) -> None:
    """What systemd would expand, split or take for a separator is written so that it does not."""
    assert unquoted(exec_line(["/bin/x", word])) == ["/bin/x", word]


def unquoted(line: str) -> list[str]:
    """Read a line as systemd does: quotes and backslashes, then specifiers and variables."""
    words = shlex.split(line.replace("$$", "\1").replace("%%", "\2"))
    assert not re.search("[$%]", "".join(words))
    return [word.replace("\1", "$").replace("\2", "%") for word in words]


@pytest.mark.parametrize(
    ("unit", "path"),
    [
        ("[Service]\nExecStart=/x\n", "system.slice"),
        ("[Service]\nSlice=machine.slice\n", "machine.slice"),
        ("[Service]\nSlice = a-b-c.slice\n", "a.slice/a-b.slice/a-b-c.slice"),
        ("[Unit]\nDescription=x \\\nSlice=evil.slice\n[Service]\nExecStart=/x\n", "system.slice"),
        ("[Service]\nSlice=../../evil.slice\n", "system.slice"),
        ("[Service]\nSlice=-.slice\n", "system.slice"),
    ],
)
def test_slice_path_is_where_systemd_puts_the_unit(unit: str, path: str) -> None:
    """Dashes in a slice's name mean that it lies in another."""
    assert slice_path(unit, default="system") == path


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("ExecStop=/usr/bin/crun kill app TERM", "ExecStop=-/usr/bin/crun kill app TERM"),
        ("  ExecStop = /usr/bin/crun kill app TERM  ", "  ExecStop = -/usr/bin/crun kill app TERM  "),
        ("ExecStop=-/usr/bin/crun kill app TERM", None),
        ("ExecStop=/usr/bin/crun kill app TERM --all", None),
        ("ExecStop=/usr/bin/true", None),
        ("ExecStopPost=/usr/bin/crun kill app TERM", None),
    ],
)
def test_that_there_is_nothing_to_stop_is_no_failure(line: str, after: str | None) -> None:
    """Of the line that $EXEC_STOP makes; what an author writes besides is the author's."""
    unit = "[Service]\n{}\nExecStart=/bin/a\n"
    assert stop_at_ease(unit.format(line), "/usr/bin/crun kill app TERM") == unit.format(after or line)


@pytest.mark.parametrize(
    ("lines", "is_added"),
    [
        (["ExecStart=/usr/bin/crun run app"], True),
        (["ExecStart=@-/usr/bin/crun run app", "ExecStop=/usr/bin/crun kill app TERM"], True),
        (["ExecStart=/usr/bin/crun run app", "ExecStartPre=/usr/bin/crun delete --force app"], True),
        (["ExecStart=/usr/bin/crun run app", "ExecStopPost=-/usr/bin/crun delete --force app"], False),
        (["ExecStart=/usr/bin/crun run app", "ExecStopPost=/bin/rm /run/app.conf"], True),
        (["ExecStart=/usr/bin/python3 agent.py"], False),
        (["Description=ExecStart=/usr/bin/crun run app"], False),
    ],
)
def test_what_a_killed_runtime_leaves_is_removed(lines: list[str], *, is_added: bool) -> None:
    """Also where the unit does not say so, as those of the predecessors' images."""
    unit = "\n".join(["[Service]", *lines, "[Install]", "WantedBy=multi-user.target", ""])
    added = "\n[Service]\nExecStopPost=-/usr/bin/crun delete --force app\n" if is_added else ""
    assert clean_up_after(unit, "/usr/bin/crun run app", "/usr/bin/crun delete --force app") == unit + added
