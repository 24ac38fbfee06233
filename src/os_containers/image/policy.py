"""The containers policy, for the versions of skopeo whose image proxy does not look at it.

The proxy checks containers-policy.json(5) from its protocol 0.2.6 on (measured: skopeo 1.18.0 obeys a
`reject`, 1.9.3 does not). With an older one we go on only where there is nothing to check.
"""

import json
from pathlib import Path

from os_containers.errors import PolicyError

CHECKED_SINCE = (0, 2, 6)
_ANYTHING = [{"type": "insecureAcceptAnything"}]


def policy_files() -> tuple[Path, Path]:
    """Return where a policy may be, the one in force first."""
    return Path.home() / ".config/containers/policy.json", Path("/etc/containers/policy.json")


def require_no_policy(files: tuple[Path, ...]) -> None:
    """Raise PolicyError unless the policy in force accepts anything from anywhere."""
    policy = next((file for file in files if file.exists()), None)
    if policy is None:
        raise PolicyError(
            "there is no policy.json", hint="write /etc/containers/policy.json: see containers-policy.json(5)"
        )
    if not _accepts_anything(policy.read_text(errors="replace")):
        raise PolicyError(
            f"this version of skopeo does not check {policy}", hint="update skopeo to 1.14 or newer"
        )


def _accepts_anything(text: str) -> bool:
    try:
        policy = json.loads(text)
        scopes = [scope for scopes in policy.get("transports", {}).values() for scope in scopes.values()]
        return all(requirements == _ANYTHING for requirements in (policy["default"], *scopes))
    except (ValueError, KeyError, AttributeError, RecursionError):
        return False
