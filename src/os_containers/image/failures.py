"""What skopeo says when something fails, as one of our errors with a way out; pure.

skopeo has no error codes before protocol 0.2.8, so its words decide.
"""

import re

from os_containers.errors import (
    ImageError,
    NotFoundError,
    OsContainersError,
    PolicyError,
    RegistryError,
    SystemFaultError,
    UsageError,
)
from os_containers.image.reference import DOCKER


class TransientError(RegistryError):
    """The registry failed in a way that may be over in a few seconds."""


class OtherPlatformsError(ImageError):
    """The image exists, but not for the platform that was asked for."""


_DAMAGED = "the image is damaged or of an unknown kind"
_TRY_AGAIN = "check the network and the registry, then try again"
_KINDS: tuple[tuple[str, type[OsContainersError], str], ...] = (
    (r"^setpriv: ", SystemFaultError, "reinstall skopeo"),
    (
        r"no space left on device|disk quota exceeded|[Rr]ead-only file system",
        SystemFaultError,
        "archives are unpacked on the store's disk: free some space there",
    ),
    (
        (
            r"unauthorized|authentication required|access to the resource is denied|no basic auth credentials"
            r"|status code (from registry )?40[13]|40[13] (Unauthorized|Forbidden)|invalid username/password"
            r"|(?<!permission )denied(:|$)"
        ),
        RegistryError,
        "log in, or check the credentials that you gave: skopeo login, --authfile or --creds",
    ),
    (
        r"toomanyrequests|too many requests|429 Too Many",
        # skopeo has asked five times when it says so
        RegistryError,
        "the registry is limiting requests: try again later, or log in",
    ),
    (
        r"legacy manifest|distribution\.manifest\.v1\+",
        ImageError,
        "Docker's schema 1 is not supported: the image must be pushed again with a current tool",
    ),
    (r"unknown method|unknown command|flag provided but not defined", SystemFaultError, "update skopeo"),
    (r"invalid reference format", UsageError, "for example docker://quay.io/coreos/etcd:v3.5"),
    (
        r"rejected by policy|policy\.json|signature|Source image rejected",
        PolicyError,
        "see containers-policy.json(5) for what this host accepts",
    ),
    (
        r"no image found in (manifest list|image index)|no matching manifest",
        OtherPlatformsError,
        "the image was not built for this platform: choose one with --platform",
    ),
    (
        (
            r"(manifest|name|blob) unknown|etching blob: .*\b404\b|repository name not known|no such file"
            r"|not found|does not exist|not known to registry|no descriptor found"
            r"|identifier is not an image|does not resolve"
        ),
        NotFoundError,
        "check the name and the tag",
    ),
    (
        r"server gave HTTP response to HTTPS client",
        RegistryError,
        "the registry speaks plain http: --tls-verify=false allows it",
    ),
    (
        r"x509|certificate|tls:",
        RegistryError,
        "put the registry's CA into /etc/containers/certs.d/HOST:PORT/ca.crt, or give --tls-verify=false",
    ),
    (
        (
            r"digest did not match|[Cc]orrupt|expected \d+ bytes in blob|does not match|unsupported schema"
            r"|invalid character|unmarshal|unrecognized|unsupported|end of JSON input"
            r"|exceeded maximum allowed size|ambiguous manifest|archive/tar:|image ID \S+ is invalid"
        ),
        ImageError,
        _DAMAGED,
    ),
)

_NO_DIRECTORY = re.compile(r"/manifest\.json: (no such file or directory|not a directory)$")
# Of what a registry says, in a message of one line; a proxy's reply may be of 32 KiB.
_MOST_SHOWN = 500

# how the Go runtime begins its account, before pages of registers
_CRASH = re.compile(r"^(?:runtime(?:/cgo)?|fatal error|panic): .*", re.MULTILINE)
_TRANSIENT = re.compile(
    r"status:? (code )?(from registry )?50[0234]|i/o timeout|handshake timeout|Client.Timeout"
    r"|connection reset|unexpected EOF"
)


def crash(said: str) -> SystemFaultError | None:
    """Return the error that a crash of skopeo itself is, None for the last words of an orderly end."""
    found = _CRASH.search(said)
    if not found:
        return None
    lacks = re.search(r"new OS thread|pthread_create|memory", found[0])
    hint = "raise the limit on threads (ulimit -u, TasksMax=) or memory" if lacks else "update skopeo"
    return SystemFaultError(f"skopeo crashed: {_shown(found[0])}", hint=hint)


def failure(said: str, reference: str) -> OsContainersError:
    """Return the error that skopeo's words about an image mean."""
    lines = said.strip().splitlines() or ["no reason given"]
    text = lines[-1]
    # skopeo repeats what the registry said: a terminal must not obey that, nor be full of it
    message = f"{reference}: {_shown(text)}"
    if reference.startswith("dir:") and _NO_DIRECTORY.search(text):
        directory = reference.removeprefix("dir:")
        return NotFoundError(
            f"{directory} is not an image directory: there is no {directory}/manifest.json",
            hint="skopeo copy IMAGE dir:DIRECTORY makes one; if it has an index.json, use oci:DIRECTORY",
        )
    for pattern, kind, hint in _KINDS:
        if re.search(pattern, text):
            return kind(message, hint=hint)
    if not _TRANSIENT.search(text):
        return RegistryError(message, hint=_TRY_AGAIN)
    if not reference.startswith(f"{DOCKER}:"):
        # a file that ends too early does so each time
        return ImageError(message, hint=_DAMAGED)
    return TransientError(message, hint=_TRY_AGAIN)


def _shown(text: str) -> str:
    """Return a text as it stands in a message."""
    cut = text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in cut)
