"""How images are called: references as a person writes them, and the names under which we keep images; pure.

A reference says where an image is: `docker://quay.io/etcd:3.5`, `oci:/srv/etcd`. A name says what it is, in
full: `quay.io/etcd:3.5`. The grammar of names is that of the distribution project (reference/reference.go).
"""

import re
from dataclasses import dataclass

from os_containers.errors import ImageError, UsageError
from os_containers.image.manifest import Digest

DOCKER = "docker"
TRANSPORTS = frozenset(
    {DOCKER, "containers-storage", "dir", "docker-archive", "docker-daemon", "oci", "oci-archive"}
)
DEFAULT_TAG = "latest"

_MAX_LENGTH = 4096
_MAX_NAME_LENGTH = 255
_DOMAIN = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9-]+)*(?::[0-9]+)?|\[[0-9a-fA-F:]+\](?::[0-9]+)?"
)
_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_EXAMPLE = "for example quay.io/coreos/etcd:v3.5"


@dataclass(frozen=True, slots=True)
class ImageReference:
    """Where an image is: a transport, and what follows the first colon."""

    transport: str
    rest: str

    @classmethod
    def parse(cls, text: str) -> "ImageReference":
        """Return the reference that a person wrote; without a transport it is a name in a registry.

        Raises UsageError for anything that no transport could understand.
        """
        if not text or len(text) > _MAX_LENGTH or not text.isprintable() or text.startswith("-"):
            raise UsageError(f"not an image: {text[:100]!a}", hint=_EXAMPLE)
        transport, colon, rest = text.partition(":")
        if not colon or transport not in TRANSPORTS:
            return cls(DOCKER, f"//{normalize_name(text)}")
        if not rest:
            raise UsageError(f"nothing follows {transport}:", hint=f"for example {transport}:/srv/image")
        if transport == DOCKER:
            if not rest.startswith("//"):
                raise UsageError(
                    f"{text!a} lacks the // after docker:", hint="for example docker://quay.io/etcd"
                )
            return cls(DOCKER, f"//{normalize_name(rest.removeprefix('//'))}")
        return cls(transport, rest)

    def __str__(self) -> str:
        return f"{self.transport}:{self.rest}"

    @property
    def registry(self) -> str:
        """Return host and port of the registry; empty for other transports."""
        return self.rest.removeprefix("//").partition("/")[0] if self.transport == DOCKER else ""


def normalize_name(text: str) -> str:
    """Return the full name of an image: `etcd` is `docker.io/library/etcd:latest`. Raises UsageError."""
    named, at, digest = text.partition("@")
    domain, path, tag = _split(named)
    valid = (
        _DOMAIN.fullmatch(domain)
        and _PATH.fullmatch(path)
        and len(f"{domain}/{path}") <= _MAX_NAME_LENGTH
        and (tag is None or _TAG.fullmatch(tag))
    )
    if not valid:
        raise UsageError(f"not an image name: {text[:100]!a}", hint=_EXAMPLE)
    # the registry ignores a tag beside a digest, and so do we
    return f"{domain}/{path}@{_parse_digest(digest)}" if at else f"{domain}/{path}:{tag or DEFAULT_TAG}"


def split_tag(name: str) -> tuple[str, str]:
    """Return a full name without its tag or digest, and that."""
    if "@" in name:
        repository, _, digest = name.partition("@")
        return repository, f"@{digest}"
    repository, _, tag = name.rpartition(":")
    return repository, tag


def container_name(image_name: str) -> str:
    """Return the default name of a container: the last part of the name, and the tag unless it is latest."""
    repository, tag = split_tag(image_name)
    last = repository.rpartition("/")[2]
    return last if tag == DEFAULT_TAG or tag.startswith("@") else f"{last}-{tag}"


def _split(named: str) -> tuple[str, str, str | None]:
    first, slash, remainder = named.partition("/")
    if slash and (first == "localhost" or set(first) & {".", ":", "["} or first != first.lower()):
        domain, path = first, remainder
    else:
        domain, path = "docker.io", named
    path, colon, tag = path.partition(":")
    if domain in {"docker.io", "index.docker.io"}:
        domain, path = "docker.io", path if "/" in path else f"library/{path}"
    return domain, path, tag if colon else None


def _parse_digest(text: str) -> Digest:
    try:
        return Digest.parse(text)
    except ImageError as error:
        raise UsageError(error.message, hint="a digest is sha256: and 64 hexadecimal digits") from error
