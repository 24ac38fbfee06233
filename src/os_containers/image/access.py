"""How a registry is talked to: what a caller may say about it, and what skopeo is told of that."""

import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from os_containers import files
from os_containers.image.manifest import Platform
from os_containers.image.reference import ImageReference


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """How a registry is talked to; credentials are `user:password`."""

    tls_verify: bool = True
    authfile: Path | None = None
    credentials: str | None = None
    platform: Platform | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """With which options skopeo may talk to a registry, and which descriptors these are about."""

    options: tuple[str, ...] = ()
    passed_fds: tuple[int, ...] = ()


@contextlib.contextmanager
def registry_access(reference: ImageReference, options: ProxyOptions) -> Iterator[Access]:
    """Yield how skopeo may talk to the registry."""
    tls = () if options.tls_verify else ("--tls-verify=false",)
    if not options.credentials:
        yield Access((*tls, f"--authfile={options.authfile}") if options.authfile else tls)
        return
    # others can read argument lists, and a file would outlive us when we are killed
    with files.in_memory(_auth_json(reference, options.credentials)) as (authfile, descriptor):
        yield Access((*tls, f"--authfile={authfile}"), (descriptor,))


def _auth_json(reference: ImageReference, credentials: str) -> bytes:
    secret = base64.b64encode(credentials.encode()).decode()
    return json.dumps({"auths": {reference.registry: {"auth": secret}}}).encode()
