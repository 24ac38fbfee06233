"""Where skopeo does not check a policy, only the policy without requirements will do."""

from pathlib import Path

import pytest

from os_containers.errors import PolicyError
from os_containers.image.policy import require_no_policy

ANYTHING = '[{"type": "insecureAcceptAnything"}]'


@pytest.mark.parametrize(
    "text",
    [
        f'{{"default": {ANYTHING}}}',
        f'{{"default": {ANYTHING}, "transports": {{"docker-daemon": {{"": {ANYTHING}}}}}}}',
    ],
)
def test_b18_a_policy_that_accepts_anything_needs_no_check(tmp_path: Path, text: str) -> None:
    """This is the policy that distributions ship."""
    policy = tmp_path / "policy.json"
    policy.write_text(text)
    require_no_policy((tmp_path / "missing", policy))


@pytest.mark.parametrize(
    "text",
    [
        '{"default": [{"type": "reject"}]}',
        f'{{"default": {ANYTHING}, "transports": {{"docker": {{"quay.io": [{{"type": "reject"}}]}}}}}}',
        '{"default": [{"type": "insecureAcceptAnything"}, {"type": "signedBy"}]}',
        f'{{"default": {ANYTHING}, "transports": 1}}',
        f'{{"default": {ANYTHING}, "transports": {{"docker": []}}}}',
        "{}",
        "[]",
        "",
        "[" * 100_000,
    ],
)
def test_b18_any_other_policy_is_refused(tmp_path: Path, text: str) -> None:
    """Requirements, and what we do not understand, must not be passed over."""
    policy = tmp_path / "policy.json"
    policy.write_text(text)
    with pytest.raises(PolicyError, match="does not check"):
        require_no_policy((policy,))


def test_b18_the_first_policy_is_in_force(tmp_path: Path) -> None:
    """The user's policy hides the host's."""
    for name, kind in (("user", "reject"), ("host", "insecureAcceptAnything")):
        (tmp_path / name).write_text(f'{{"default": [{{"type": "{kind}"}}]}}')
    with pytest.raises(PolicyError):
        require_no_policy((tmp_path / "user", tmp_path / "host"))
    require_no_policy((tmp_path / "host", tmp_path / "user"))


def test_b18_without_a_policy_nothing_is_pulled(tmp_path: Path) -> None:
    """Newer versions of skopeo refuse it, too."""
    with pytest.raises(PolicyError, match=r"no policy\.json"):
        require_no_policy((tmp_path / "missing",))
