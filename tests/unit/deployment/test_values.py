"""Values: who decides, and what stays over updates."""

from pathlib import Path

import pytest

from os_containers.deployment import values
from os_containers.deployment.limits import DeploymentLimits
from os_containers.deployment.values import FORCED, Origin, Value, decide, parse_settings
from os_containers.errors import UsageError
from os_containers.paths import Mode, Paths

PATHS = Paths.find(uid=0, environment={})


def test_parse_settings_splits_at_the_first_equals_sign() -> None:
    """A value may be empty and may have equals signs."""
    assert parse_settings(["A=1", "B=", "C=x=y"]) == {"A": "1", "B": "", "C": "x=y"}


@pytest.mark.parametrize(
    "settings",
    [
        ["A"],
        ["=x"],
        ["1A=x"],
        ["A-B=x"],
        ["A=1", "A=2"],
        ["A=x\ny"],
        ["A=\0"],
        ["A=\x1b[m"],
        ["A=\x7f"],
        ["A=\x9bm"],
        ["A=\udcff"],
    ]
    + [[f"{name}=x"] for name in sorted(FORCED)],
)
def test_b53_b61_parse_settings_refuses_what_cannot_be_set(settings: list[str]) -> None:
    """Malformed, doubled, forced and non-text settings are usage errors."""
    with pytest.raises(UsageError):
        parse_settings(settings)


def test_b53_settings_have_limits() -> None:
    """The limit itself fits, one more does not."""
    limits = DeploymentLimits(value=4, values=2)
    assert parse_settings(["A=1234", "B=éé"], limits=limits) == {"A": "1234", "B": "éé"}
    with pytest.raises(UsageError, match="A is larger than 4 bytes"):
        parse_settings(["A=ééé"], limits=limits)
    with pytest.raises(UsageError, match="more than 2 values"):
        parse_settings(["A=1", "B=2", "C=3"], limits=limits)
    assert len(parse_settings([f"A{one}={'x' * 65536}" for one in range(1000)])) == 1000
    with pytest.raises(UsageError, match="larger than 65536 bytes"):
        parse_settings([f"A={'x' * 65537}"])
    with pytest.raises(UsageError, match="more than 1000 values"):
        parse_settings([f"A{one}=" for one in range(1001)])


def test_decide_prefers_set_to_default_to_generated() -> None:
    """Each value is kept with its origin."""
    decided = decide(
        mode=Mode.SYSTEM,
        settings={"A": "set"},
        defaults={"A": "default", "B": "default", "RUN_DIRECTORY": "/var/run"},
        generated={"A": "generated", "B": "generated", "C": "generated", "RUN_DIRECTORY": "/run"},
        forced={"NAME": "etcd"},
    )
    assert decided == {
        "A": Value("set", Origin.SET),
        "B": Value("default", Origin.DEFAULT),
        "C": Value("generated", Origin.GENERATED),
        "RUN_DIRECTORY": Value("/var/run", Origin.DEFAULT),
        "NAME": Value("etcd", Origin.FORCED),
    }


def test_decide_keeps_the_users_directories_in_user_mode() -> None:
    """An image's default for RUN_DIRECTORY means the host's, which a user cannot write; --set still wins."""
    decided = decide(
        mode=Mode.USER,
        settings={"CONF_DIRECTORY": "/home/me/conf"},
        defaults={"RUN_DIRECTORY": "/run", "CONF_DIRECTORY": "/etc"},
        generated={"RUN_DIRECTORY": "/run/user/1000", "CONF_DIRECTORY": "/home/me/.config"},
        forced={},
    )
    assert values.texts(decided) == {"RUN_DIRECTORY": "/run/user/1000", "CONF_DIRECTORY": "/home/me/conf"}


def test_generate_keeps_the_uuid_over_updates() -> None:
    """Every other generated value is made anew."""
    first = values.generate(PATHS, name="etcd", runtime=Path("/usr/bin/crun"), previous={})
    previous = {name: Value(text, Origin.GENERATED) for name, text in first.items()}
    second = values.generate(PATHS, name="etcd", runtime=Path("/usr/bin/runc"), previous=previous)
    assert second == first | {"RUNTIME": "/usr/bin/runc"}
    assert first["PIDFILE"] == "/run/container-etcd.pid"


def test_set_by_user_is_what_stays_over_updates() -> None:
    """A default that was not set by a person gives way to the new image's."""
    decided = {"A": Value("1", Origin.SET), "B": Value("2", Origin.DEFAULT)}
    assert values.set_by_user(decided) == {"A": "1"}
