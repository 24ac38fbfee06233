"""What config.toml may say: known keys of the right type; anything else is refused by file and key."""

import dataclasses
from pathlib import Path

import pytest

from os_containers.config import (
    Config,
    General,
    find_paths,
    load_config,
    load_usable,
    parse_config,
)
from os_containers.deployment.limits import DeploymentLimits
from os_containers.deployment.record import SIZE_LIMIT
from os_containers.errors import UsageError
from os_containers.image.limits import DEFAULT_LIMITS, GiB, KiB, Limits, MiB

FILE = "/etc/os-containers/config.toml"


def test_nothing_set_means_the_limits_that_everybody_has() -> None:
    """Without a file, with an empty one, and with an empty table."""
    assert load_config([Path("/nonexistent/config.toml"), Path("/etc/passwd/config.toml")]) == Config()
    assert parse_config(b"", Config(), FILE) == parse_config(b"[limits]", Config(), FILE) == Config()
    assert Config().limits == DEFAULT_LIMITS


def test_the_limits_are_those_of_the_design() -> None:
    """Changing one is a decision, not an accident."""
    assert Limits() == Limits(
        json_size=4 * MiB,
        json_depth=100,
        layers=500,
        layer_size=64 * GiB,
        ratio=2000,
        ratio_from=64 * MiB,
        entries=2_000_000,
        extended_header=MiB,
        path=4095,
        component=255,
        xattr_value=64 * KiB,
        xattrs=100,
        reply_size=32 * KiB,
        no_progress=60.0,
        retries=3,
        retry_pause=1.0,
    )
    assert DeploymentLimits() == DeploymentLimits(
        template=MiB, rendered=16 * MiB, json_depth=100, value=64 * KiB, values=1000, host_files=10_000
    )
    assert 16 * MiB == SIZE_LIMIT


@pytest.mark.parametrize(
    ("written", "value"),
    [("0", 0), ("500", 500), ('"64GiB"', 64 * GiB), ('"1 MiB"', MiB), ('"3KiB"', 3072), ('"2TiB"', 2 << 40)],
)
def test_sizes_are_numbers_or_have_a_unit(written: str, value: int) -> None:
    """As in systemd's files, a unit is one of 1024."""
    assert parse_config(f"limits.layer-size = {written}".encode(), Config(), FILE).limits.layer_size == value


@pytest.mark.parametrize(("written", "value"), [("5", 5.0), ("0.5", 0.5)])
def test_times_are_seconds(written: str, value: float) -> None:
    """With or without a fraction."""
    assert (
        parse_config(f"limits.no-progress = {written}".encode(), Config(), FILE).limits.no_progress == value
    )


@pytest.mark.parametrize(
    "name",
    sorted({field.name for kind in (Limits, DeploymentLimits) for field in dataclasses.fields(kind)}),
)
def test_every_limit_can_be_set(name: str) -> None:
    """By its own name, in which dashes stand for underscores; the depth of JSON is that of all JSON."""
    config = parse_config(f"[limits]\n{name.replace('_', '-')} = 7".encode(), Config(), FILE)
    for part, before in ((config.limits, Limits()), (config.deployment, DeploymentLimits())):
        is_in = name in {field.name for field in dataclasses.fields(part)}
        assert part == (dataclasses.replace(before, **{name: 7}) if is_in else before)
    assert config != Config()


def test_what_a_user_says_changes_what_the_host_says(tmp_path: Path) -> None:
    """Key by key."""
    (tmp_path / "host").write_text('[limits]\nlayers = 10\nlayer-size = "1GiB"\n')
    (tmp_path / "user").write_text("[limits]\nlayers = 20\n")
    config = load_config([tmp_path / "host", tmp_path / "user"])
    assert config.limits == Limits(layers=20, layer_size=GiB)


def test_general_settings_stand_before_the_tables() -> None:
    """Each says which file it is from; a later file's counts."""
    text = b'repo = "/r"\ncheckout-path = "/c"\nruntime = "runc"\nretention = 3\nlock-timeout = 5\n'
    config = parse_config(text + b"[limits]\nlayers = 10\n", Config(), FILE)
    assert config.general == General(
        checkout_path=Path("/c"), repo=Path("/r"), runtime="runc", retention=3, lock_timeout=5.0
    )
    keys = ("repo", "checkout-path", "runtime", "retention", "lock-timeout", "limits.layers")
    assert config.origins == dict.fromkeys(keys, FILE)
    assert parse_config(b"retention = 4", config, "/own").origins == {**config.origins, "retention": "/own"}


def test_where_the_hosts_state_is_says_nothing_about_a_users(tmp_path: Path) -> None:
    """No user may write there; the user's own file does say it."""
    (tmp_path / "host").write_text('checkout-path = "/srv/state"\nrepo = "/srv/repo"\nruntime = "runc"\n')
    config = load_config([tmp_path / "host", tmp_path / "user"])
    assert config.general == General(runtime="runc")
    assert set(config.origins) == {"runtime"}
    (tmp_path / "user").write_text('repo = "/home/ann/repo"\n')
    config = load_config([tmp_path / "host", tmp_path / "user"])
    assert config.general == General(runtime="runc", repo=Path("/home/ann/repo"))


def test_the_files_say_where_things_are_unless_the_environment_does(tmp_path: Path) -> None:
    """The repo is beside the state as long as nobody says otherwise."""
    home = {"HOME": str(tmp_path)}
    own = tmp_path / ".config/os-containers/config.toml"
    own.parent.mkdir(parents=True)
    own.write_text('checkout-path = "/srv/c"\n')
    paths, config = find_paths(uid=1000, environment=home)
    assert (paths.state, paths.repo) == (Path("/srv/c"), Path("/srv/c/.storage/repo"))
    assert config.origins == {"checkout-path": str(own)}
    own.write_text('checkout-path = "/srv/c"\nrepo = "/srv/r"\n')
    paths, _ = find_paths(uid=1000, environment={**home, "OS_CONTAINERS_CHECKOUT_PATH": "/e"})
    assert (paths.state, paths.repo) == (Path("/e"), Path("/srv/r"))
    paths, _ = find_paths(uid=1000, environment={**home, "OSTREE_REPO": "/e"})
    assert (paths.state, paths.repo) == (Path("/srv/c"), Path("/e"))


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        (b"[limits]\nlayer-sise = 1", "limits: 'layer-sise' is unknown", "layer-size"),
        (b"[limit]\n", "'limit' is unknown", "limits"),
        (b"limits = 5", "limits must be a table", r"write \[limits\]"),
        (b"limits.layers = true", "limits.layers must be a number or a size, not True", "500"),
        (b"limits.layers = 1.5", "limits.layers must be", "500"),
        (b"limits.layers = -1", "limits.layers must be", "500"),
        (b"limits.layers = 9223372036854775808", "limits.layers must be", "500"),
        (b'limits.layer-size = "64 gigs"', "limits.layer-size must be", "64GiB"),
        (b'limits.layer-size = "9999999999999TiB"', "limits.layer-size must be", "64GiB"),
        (b"limits.layer-size = []", "limits.layer-size must be", "64GiB"),
        (b'limits.no-progress = "1min"', "limits.no-progress must be a number of seconds", "60"),
        (b"limits.no-progress = nan", "limits.no-progress must be a number of seconds", "60"),
        (b"limits.no-progress = -1.0", "limits.no-progress must be a number of seconds", "60"),
        (b"limits.no-progress = false", "limits.no-progress must be a number of seconds", "60"),
        (b'repo = "ostree"', "repo must be an absolute path, not 'ostree'", "/srv"),
        (b"[repo]", "repo must be an absolute path, not {}", "/srv"),
        (b'checkout-path = "/a\\nb"', "checkout-path must be an absolute path", "/srv"),
        (b"runtime = 5", "runtime must be the name or path of an OCI runtime, not 5", "crun"),
        (b'runtime = ""', "runtime must be the name", "crun"),
        (b"retention = 0", "retention must be a number of at least 1, not 0", "2 keeps"),
        (b"retention = true", "retention must be a number", "2 keeps"),
        (b'lock-timeout = "1min"', "lock-timeout must be a number of seconds", "60"),
        (b"lock_timeout = 1", "'lock_timeout' is unknown", "lock-timeout"),
        (b"[limits", "is not valid TOML", "correct"),
        (b"\xff", "is not valid TOML", "correct"),
        (b"a = " + b"[" * 100_000, "is not valid TOML", "correct"),
        (b'limits."\\u001b[2J" = 1', r"'\\x1b\[2J' is unknown", "layers"),
        (b'"\\u001b[2J" = 1', r"'\\x1b\[2J' is unknown", "limits"),
    ],
)
def test_mistakes_are_told_with_file_and_key(text: bytes, said: str, hint: str) -> None:
    """No mistake in writing passes as a setting."""
    with pytest.raises(UsageError, match=f"^{FILE}:? ?.*{said}") as caught:
        parse_config(text, Config(), FILE)
    assert caught.value.hint
    assert hint.replace("\\", "") in caught.value.hint
    assert caught.value.message.isprintable()


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """It may hold limits that must not be passed over."""
    with pytest.raises(UsageError, match="cannot be read"):
        load_config([tmp_path])


def test_who_must_go_on_passes_over_a_file_with_a_mistake(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Recovery at boot does; it discards nothing then, since that file may say how much stays."""
    bad, good = tmp_path / "bad.toml", tmp_path / "good.toml"
    bad.write_text("retention = 5\nretentoin = 3\n")
    good.write_text('runtime = "runc"\n')
    config = load_usable([bad, good])
    assert (config.general.runtime, config.general.retention) == ("runc", 2**63 - 1)
    assert "'retentoin' is unknown: this file is ignored" in caplog.text
    with pytest.raises(UsageError):
        load_config([bad, good])


@pytest.mark.parametrize("number", ["1" * 5000, "0x" + "f" * 5000])
def test_a_number_that_is_too_long_is_no_internal_error(number: str) -> None:
    with pytest.raises(UsageError, match=FILE):
        parse_config(f"retention = {number}\n".encode(), Config(), FILE)
