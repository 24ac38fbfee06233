"""What a person chooses for a deployment, beside what it is made of."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from os_containers.host.host_policy import Permission


@dataclass(frozen=True, slots=True)
class Choices:
    """Values to set, and to unset; the runtime; what host files the image may bring.

    What is not chosen is the image's own, or stays as the deployment before has it.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    unset: Collection[str] = ()
    runtime: str | None = None
    permission: Permission = field(default_factory=Permission)

    @property
    def change_values(self) -> bool:
        return bool(self.settings or self.unset)
