"""What an image config says for people and for tools, and nothing depends on: labels and ports; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from os_containers.image import strict_json
from os_containers.image.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True, slots=True)
class About:
    """The labels, as they stand there, and the ports that the program listens on."""

    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ()


class _ConfigJson(msgspec.Struct, frozen=True, rename="pascal"):
    labels: dict[str, object] | None = None
    exposed_ports: dict[str, object] | None = None


class _AboutJson(msgspec.Struct, frozen=True):
    config: _ConfigJson | None = None


def parse_about(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> About:
    """Return what an image config says; a label that is no text is left out."""
    config = strict_json.decode(raw, _AboutJson, "the image config", limits).config or _ConfigJson()
    labels = {key: value for key, value in (config.labels or {}).items() if isinstance(value, str)}
    return About(labels, tuple(sorted(config.exposed_ports or ())))
