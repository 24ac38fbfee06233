"""How much of anything a deployment takes; each number bounds what an image or a setting decides."""

from dataclasses import dataclass

KiB = 1024
MiB = 1024 * KiB


@dataclass(frozen=True, slots=True)
class DeploymentLimits:
    """Bounds on one deployment; sizes are in bytes and inclusive."""

    # a template, the export manifest, or a host file that is a template
    template: int = MiB
    # what a template may grow to: a value may be used many times
    rendered: int = 16 * MiB
    json_depth: int = 100
    value: int = 64 * KiB
    values: int = 1000
    host_files: int = 10_000


DEFAULT_LIMITS = DeploymentLimits()
