"""Values stay where a template puts them."""

import contextlib
import json
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from os_containers.deployment.old_config import upgrade
from os_containers.deployment.runtime_config import parse_config
from os_containers.deployment.structure import (
    Misfit,
    Places,
    json_places,
    misfits,
    tmpfiles_places,
    unit_places,
)
from os_containers.deployment.template import render, with_placeholders
from os_containers.deployment.unit_text import Setting, settings
from os_containers.errors import ImageError

MOUNT = '{"type": "bind", "source": "/srv", "destination": "/srv", "options": ["rbind", "rw", "rshared"]}'


def found(template: str, places: Places, **values: str) -> list[Misfit]:
    return list(misfits(template.encode(), values, places, source="t"))


def fits(template: str, places: Places, value: str) -> bool:
    return not found(template, places, X=value)


@pytest.mark.parametrize(
    ("value", "fit"),
    [
        ("", True),
        ("http://127.0.0.1:2379,http://[::1]:2379", True),
        ("100% {of} [it], é $X", True),
        ('say \\"hi\\"', True),
        ("C:\\\\dir", True),
        ("\\u00e9\\n", True),
        ('"', False),
        ('x", "hooks": {"prestart": []}, "y": "', False),
        ("\\", False),
        ("\\\\\\", False),
        ("\\x", False),
        ("a\nb", False),
        ("a\tb", False),
        ("\0", False),
    ],
)
def test_b54_a_value_stays_in_its_json_string(value: str, fit: bool) -> None:  # noqa: FBT001
    """A quote and a backslash need a backslash, as JSON has it."""
    assert fits('{"process": {"env": ["A=$X", "B=${X}y"]}, "$X": 1}', json_places, value) is fit


@pytest.mark.parametrize(
    ("template", "value", "fit"),
    [
        ('{"mounts": [{"a": 1}$X]}', "", True),
        ('{"mounts": [{"a": 1}$X]}', f",{MOUNT}", True),
        ('{"mounts": [{"a": 1}\n    $X\n]}', f"\n  ,\n{MOUNT}", True),
        ('{"mounts": [$X]}', MOUNT, True),
        ('{"bounding": [ $X ]}', '"CAP_CHOWN",\n"CAP_KILL"', True),
        ('{"process": {"args": []$X}}', ', "rlimits": [{"type": "RLIMIT_CORE"}]', True),
        ('{"mounts": [{"a": 1}$X]}', '], "hooks": {}, "x": [', False),
        ('{"mounts": [{"a": 1}$X]}', ', {"a": 1}], "hooks": [{"a": 1}', False),
        ('{"mounts": [{"a": 1}$X]}', ",{", False),
        ('{"mounts": [{"a": 1}$X]}', ', "', False),
        ('{"mounts": [{"a": 1}$X]}', ", [}", False),
        ('{"process": {"args": []$X}}', '}, "hooks": {', False),
        ('{"user": {"uid": $X}}', "1000", True),
        ('{"user": {"uid": $X, "gid": 1}}', '{"a": [1]}', True),
        ('{"user": {"uid": $X}}', "", False),
        ('{"user": {"uid": $X}}', '0, "gid": 0', False),
        ('{"user": {"uid": $X}}', "0}, {", False),
        ('{"uid": 10$X}', "00", True),
        ('{"uid": 10$X}', ', "gid": 0', False),
        ('{"uid": ${X}0, "gid": 1}', "1", True),
        ('{"uid": ${X}0, "gid": 1}', '1, "x": ', False),
        ('{"terminal": $X}', "false", True),
        ('{"a": "\\$X"}', "n", True),
        ('{"a": "\\$X"}', '"', False),
        ('{"a": "x$X', '"}', False),
    ],
)
def test_b54_a_json_fragment_changes_only_its_own_place(template: str, value: str, fit: bool) -> None:  # noqa: FBT001
    """Outside of strings a value is spliced: members where members stand, one value behind a colon."""
    assert fits(template, json_places, value) is fit


UNIT = """\
[Unit]
# for $X
Description=about $X
After=$X
[Service]
Environment=A=$X "B=$X"
Environment=$X
ExecStart=/bin/a --x $X "--y=$X" '--z=$X' \\
    --more $X \\
    $X
[Install]
RequiredBy=$X
"""


@pytest.mark.parametrize("value", ["", "docker.service", "50%%", "--quiet", "/srv/a-b_c.d:e", "é", "a\\\\b"])
def test_b54_a_value_that_fits_everywhere_in_a_unit(value: str) -> None:
    """An ordinary one, and what is written as systemd wants it."""
    assert fits(UNIT, unit_places, value)
    assert shape(UNIT, value) == shape(UNIT, "x")


@pytest.mark.parametrize(
    ("line", "value", "fit"),
    [
        ("Description=$X", "two words, it's", True),
        ("Description=$X", "x\nExecStartPre=/bin/touch /x", False),
        ("Description=$X", "x\rExecStartPre=/bin/touch /x", False),
        ("Description=$X", "x\0ExecStartPre=/bin/touch /x", False),
        ("Description=$X", "it ends in \\", False),
        ("Description=$X", "an even number \\\\", True),
        ("Description=$X", "100%", False),
        ("Description=$X", "%h", False),
        ("Description=$X", "%%%h", False),
        ("Description=%n $X", "100%%", True),
        ("# $X", "anything % it's \\", True),
        ("# $X", "x\nExecStartPre=/x", False),
        ("; $X", "x\nExecStartPre=/x", False),
        ("$X", "", True),
        ("$X", "ExecStartPre=/bin/x", False),
        ("$X", "# ", False),
        ("${X}Restart=no", "#", False),
        ("${X}Restart=no", "", True),
        ("Exec$X=/bin/x", "StartPre", False),
        ("[$X]", "Install", False),
        ("[$X", "Install]", False),
        ("ExecStop=/bin/a $X", "--one --two 'with blanks'", True),
        ("ExecStop=/bin/a $X", "x ; /bin/evil", False),
        ("ExecStop=/bin/a $X /bin/evil", ";", False),
        ("ExecStop=/bin/a $X", "x; y \\;", True),
        ("ExecStop=/bin/a $X", "it's", False),
        ("ExecStop=/bin/a $X", 'a "b', False),
        ('ExecStop=/bin/sh -c "echo $X"', 'a" ; /bin/evil "', False),
        ('ExecStop=/bin/sh -c "echo $X"', "it's", True),
        ('ExecStop=/bin/sh -c "echo $X"', '\\"', True),
        ("ExecStop=/bin/sh -c 'echo $X'", "a' ; /bin/evil '", False),
        ("ExecStop=/bin/sh -c 'echo $X'", 'say "hi"', True),
        ("ExecStop=/bin/sh -c 'a \"b' $X", "it's", False),
        ("ExecStop=/bin/a \\$X", "n", True),
        ("ExecStop=/bin/a \\$X", "", False),
        ("ExecStop=/bin/a \\\n $X --safe", "# no", False),
        ("ExecStop=/bin/a \\\n$X --safe", "; /bin/evil", False),
        ("ExecStop=/bin/a \\\n# not $X\n $X --safe", "--x", True),
        ("Environment=A=$X", "b LD_PRELOAD=/evil", False),
        ('Environment="A=$X"', "b LD_PRELOAD=/evil", True),
        ('Environment="A=$X"', 'b" "LD_PRELOAD=/evil', False),
        ('Environment="A=$X" "B=1"', "\\", False),
        ("Environment=$X", "A=1 B=2", True),
    ],
)
def test_b54_a_value_adds_no_line_section_key_word_or_specifier(line: str, value: str, fit: bool) -> None:  # noqa: FBT001
    """Lines and quotes are read as systemd reads them."""
    assert fits(f"[Service]\nExecStart=/bin/a\n{line}\nType=simple\n", unit_places, value) is fit


@pytest.mark.parametrize("value", ["", " ", "x"])
@pytest.mark.parametrize(
    "line",
    [
        "$X[Install]",
        " $X [Install]",
        "$X$X[Install]",
        "$X#Restart=no",
        "$X ;Restart=no",
        "$X \\\n[Install]",
        "ExecStop=/bin/a \\\n$X# --safe",
        "ExecStop=/bin/a \\\n $X ; --safe",
    ],
)
def test_b54_no_value_uncovers_a_section_or_a_comment(line: str, value: str) -> None:
    """What stands behind it would be one without it: so even an empty value is refused."""
    assert not fits(f"[Service]\nExecStart=/bin/a\n{line}\nType=simple\n", unit_places, value)


def test_b54_a_value_behind_an_empty_one_may_begin_the_line() -> None:
    """It is judged as the first."""
    unit = "[Service]\nExecStart=/bin/a \\\n $X$Y $Z --safe\n"
    assert found(unit, unit_places, X="", Y="--y", Z="z") == []
    assert [one.variable for one in found(unit, unit_places, X="", Y="# y", Z="z")] == ["Y"]
    assert [one.variable for one in found(unit, unit_places, X="", Y="", Z="; z")] == ["Z"]
    tmpfiles = "$X$Y $Z /x\n"
    assert [one.variable for one in found(tmpfiles, tmpfiles_places, X="", Y="f+", Z="d")] == ["Y", "Z"]


@pytest.mark.parametrize(
    ("line", "value", "fit"),
    [
        ("d $X/etcd 0700 0 0 -", "/var/lib", True),
        ("d $X/etcd 0700 0 0 -", "", True),
        ("d $X/etcd 0700 0 0 -", "/srv/my data", False),
        ('d "$X/etcd" 0700 0 0 -', "/srv/my data", True),
        ('d "$X/etcd" 0700 0 0 -', '/srv" 0777 "', False),
        ("d $X/etcd 0700 0 0 -", "/srv\t0777", False),
        ("d $X/etcd 0700 0 0 -", "/srv\nf+ /etc/passwd - - - - x", False),
        ("d $X/etcd 0700 0 0 -", "/home/100%", False),
        ("d $X/etcd 0700 0 0 -", "/home/100%%", True),
        ("d $X/etcd 0700 0 0 -", '/a"b', False),
        ("d $X/etcd 0700 0 0 -", "/a\\", False),
        ("d /x 0700 $X 0 -", "1000", True),
        ("d /x 0700 $X 0 -", "", False),
        ("$X /x", "d", False),
        ("$X", "f+ /etc/passwd", False),
        ("$X", "", True),
        ("${X}d /x", "#", False),
        ("w /x - - - - $X", "two words \"and 'more\\", True),
        ("w /x - - - - $X", "%h", False),
        ("$X# d /x", "", False),
        (" $X ; d /x", "", False),
        ("# $X", "anything", True),
        ("# $X", "a\nd /x", False),
    ],
)
def test_b54_a_value_adds_no_line_and_no_field_to_a_tmpfiles_fragment(
    line: str,
    value: str,
    fit: bool,  # noqa: FBT001
) -> None:
    """The seventh field is free text to the end of its line."""
    assert fits(f"d /run/a\n{line}\n", tmpfiles_places, value) is fit


def test_b54_a_misfit_names_the_variable_and_the_line() -> None:
    """Every one of them, at each place where it does not fit."""
    template = '{"a": "$GOOD",\n"b": "$BAD",\n"c": [$BAD]}'
    told = found(template, json_places, GOOD="1", BAD='"')
    assert [(one.variable, one.line) for one in told] == [("BAD", 2), ("BAD", 3)]
    assert "stay in its JSON string" in told[0].why


def test_b54_two_values_cannot_do_together_what_none_may_alone() -> None:
    """A backslash takes the quote between them, and the other value brings it back."""
    template, first, second = '{"args": ["$X", "$Y"]}', "\\", ', "injected'
    rendered = json.loads(template.replace("$X", first).replace("$Y", second))
    assert rendered == {"args": ['", ', "injected"]}
    assert [one.variable for one in found(template, json_places, X=first, Y=second)] == ["X", "Y"]


EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize("mounts", ["", f",{MOUNT}"])
@pytest.mark.parametrize("example", ["dnsmasq", "etcd", "hello-world", "node-exporter"])
def test_b54_the_values_of_real_images_fit(example: str, mounts: str) -> None:
    """ADDTL_MOUNTS is spliced into a list, dependencies and directories into settings and fields."""
    exports = EXAMPLES / example / "exports"
    defaults = json.loads((exports / "manifest.json").read_text())["defaultValues"]
    values = {name: str(value) for name, value in defaults.items()} | {
        "ADDTL_MOUNTS": mounts,
        "CONF_DIRECTORY": "/etc",
        "RUN_DIRECTORY": "/run",
        "STATE_DIRECTORY": "/var/lib",
        "HOST_UID": "0",
        "HOST_GID": "0",
        "NAME": "app",
        "IMAGE_NAME": "registry.example.org:5000/app:1.0",
        "RUNTIME": "/usr/bin/crun",
        "DESTDIR": "/var/lib/containers/atomic/.deploy/app/1",
        "EXEC_START": '"/opt/my crun" run --bundle /d/1 100%% $$HOME',
        "EXEC_STARTPRE": "/usr/bin/crun delete --force app",
        "EXEC_STOP": "/usr/bin/crun kill app SIGRTMIN+3",
        "EXEC_STOPPOST": "/usr/bin/crun delete --force app",
    }
    for name, places in (
        ("config.json.template", json_places),
        ("service.template", unit_places),
        ("tmpfiles.template", tmpfiles_places),
    ):
        assert found((exports / name).read_text(), places, **values) == []
    config = render((exports / "config.json.template").read_bytes(), values, source="t")
    assert upgrade(parse_config(config, source="t")) == []


JSON_TEMPLATE = '{"a": ["$X", {"b$X": "$Y"}$RAW], "c": {"d": $ONE}, "e": [ $RAW ], "f": "$X$Y"}'
values = st.text(st.sampled_from('"\\{}[],: abu0n%$'), max_size=8)


def tree(**given: str) -> Any:
    return json.loads(
        render(JSON_TEMPLATE.encode(), given, source="t"), object_pairs_hook=lambda pairs: ("object", pairs)
    )


def skeleton(node: Any, *, raw: bool = False) -> Any:
    """Return the shape of a tree, without what was spliced into its two lists."""
    match node:
        case ("object", pairs):
            return [("c", len(value[1])) if key == "c" else skeleton(value) for key, value in pairs]
        case [first, second, *_] if not raw and isinstance(second, tuple):
            return [skeleton(first), skeleton(second)]
        case [*_]:
            return "list"
        case _:
            return type(node).__name__


@given(values, values)
def test_b54_whatever_fits_keeps_the_tree_of_a_json_template(x: str, y: str) -> None:
    """What a parser sees is what it sees with harmless placeholders."""
    given = {"X": x, "Y": y, "RAW": "", "ONE": "1"}
    if not found(JSON_TEMPLATE, json_places, **given):
        harmless = {"X": "x", "Y": "y", "RAW": "", "ONE": "1"}
        assert skeleton(tree(**given)) == skeleton(tree(**harmless))


@given(st.text(st.sampled_from('"{}[],:1x \n'), max_size=10))
def test_b54_whatever_is_spliced_leaves_the_rest_of_the_tree(raw: str) -> None:
    """Or the text is no JSON any more, which the parser refuses."""
    given = {"X": "x", "Y": "y", "RAW": raw, "ONE": "1"}
    if found(JSON_TEMPLATE, json_places, **given):
        return
    try:
        spliced = tree(**given)
    except ValueError:
        return
    assert skeleton(spliced) == skeleton(tree(**{**given, "RAW": ""}))


def shape(template: str, value: str) -> list[tuple[str, str]]:
    text = render(template.encode(), {"X": value}, source="t").decode()
    return [(one.section, one.key) for one in settings(text)]


@given(st.text(st.sampled_from("a# ;=[]\\\n\r\"'%"), max_size=8))
def test_b54_whatever_fits_keeps_the_settings_of_a_unit(value: str) -> None:
    """No line, no section, no key more or less."""
    if fits(UNIT, unit_places, value):
        assert shape(UNIT, value) == shape(UNIT, "x")


@given(st.text(st.sampled_from("$X\\\"'#;=[]{} \n\r,:%"), max_size=40))
def test_b54_every_variable_of_any_template_is_looked_at(template: str) -> None:
    """However broken the template is: what fits nowhere is told as often as it stands there."""
    with contextlib.suppress(ImageError):  # a lone dollar is refused before
        _, names = with_placeholders(template.encode(), source="t")
        for places in (json_places, unit_places, tmpfiles_places):
            told = found(template, places, **dict.fromkeys(names, "\0"))
            assert [one.variable for one in told] == names


@pytest.mark.parametrize("piece", ["$X", "$X \\\n", "\\\n", "d $X\n"])
def test_b55_time_grows_with_the_size_of_a_template_only(piece: str) -> None:
    """Not with its square, which would take minutes at the limit."""
    template = "[A]\nb=" + piece * ((1 << 18) // len(piece))
    started = time.process_time()
    for places in (json_places, unit_places, tmpfiles_places):
        list(islice(misfits(template.encode(), {"X": "x"}, places, source="t"), 1))
    list(settings(template))
    assert time.process_time() - started < 4


def test_settings_are_read_as_systemd_reads_them() -> None:
    """Comments within a setting that goes on, an even number of backslashes, all the ends of lines."""
    unit = "[A]\nb = c \\\n# no\n;no\n  d\r[E]\0f=g\\\\\nno setting\n\n[H]\ni=\\"
    assert list(settings(unit)) == [
        Setting("A", "", ""),
        Setting("A", "b", "c    d"),
        Setting("E", "", ""),
        Setting("E", "f", "g\\\\"),
        Setting("H", "", ""),
        Setting("H", "i", ""),
    ]
