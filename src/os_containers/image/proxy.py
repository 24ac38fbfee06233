"""Images of every transport, by the rules of the host: skopeo's image proxy opens them for us."""

import contextlib
import functools
import re
from collections.abc import Iterator
from typing import BinaryIO, cast

from os_containers import process
from os_containers.errors import ImageError, LimitError, OsContainersError
from os_containers.image.access import Access, ProxyOptions, registry_access
from os_containers.image.channel import CHUNK, Channel, running
from os_containers.image.failures import OtherPlatformsError
from os_containers.image.layout import find_blob
from os_containers.image.limits import DEFAULT_LIMITS, Limits
from os_containers.image.manifest import Digest, parse_manifest, parse_platforms, with_layers
from os_containers.image.policy import CHECKED_SINCE, policy_files, require_no_policy
from os_containers.image.reference import ImageReference
from os_containers.scratch import Scratch

_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})*")
_SHOWN_PLATFORMS = 20


class RemoteImage:
    """An image that skopeo has opened for us."""

    def __init__(self, channel: Channel, handle: object, reference: ImageReference, access: Access) -> None:
        self._channel = channel
        self._handle = handle
        self._reference = reference
        self._access = access

    def manifest(self) -> tuple[Digest, bytes]:
        """Return the digest in the registry, and the manifest of the one image that was chosen.

        skopeo converts a Docker manifest to OCI, so the bytes need not have that digest. It has compared what
        the registry sent with the digest of the reference, which may be that of an index around the image.
        """
        return self._manifest

    @functools.cached_property
    def _manifest(self) -> tuple[Digest, bytes]:
        limits = self._channel.limits
        try:
            value, raw = self._channel.read("GetManifest", self._handle)
        except OtherPlatformsError as error:
            raise ImageError(error.message, hint=self._platform_hint() or error.hint) from error
        if self._reference.transport == "containers-storage":
            # it keeps the manifest of the registry, but the layers unpacked
            raw = with_layers(raw, self._channel.call("GetLayerInfo", self._handle).value, limits)
        return Digest.parse(str(value)), raw

    def _platform_hint(self) -> str | None:
        """Return which platforms there are; None when that cannot be found out."""
        argv = ["skopeo", "inspect", "--raw", *self._access.options, str(self._reference)]
        try:
            said = process.run(
                argv, timeout=self._channel.reply_timeout, passed_fds=self._access.passed_fds
            ).stdout
            platforms = parse_platforms(said.encode(), self._channel.limits)
        except OsContainersError:
            return None
        shown = ", ".join(ascii(str(one))[1:-1] for one in platforms[:_SHOWN_PLATFORMS])
        return f"choose one with --platform: {shown}" if shown else None

    def config(self) -> bytes:
        """Return the image config, byte for byte as the manifest names it."""
        _, manifest = self._manifest
        limits = self._channel.limits
        wanted = parse_manifest(manifest, limits)
        # parsed and written anew by skopeo: what a converted manifest names; any other names the blob
        _, raw = self._channel.read("GetFullConfig", self._handle)
        if Digest.of(raw) == wanted.config_digest:
            return raw
        if wanted.config_size > limits.json_size:
            fact = f"the image config is larger than {limits.json_size} bytes"
            raise LimitError(fact, limit="json-size")
        with self.blob(wanted.config_digest, wanted.config_size) as file:
            raw = b"".join(iter(lambda: file.read(CHUNK), b""))
        if Digest.of(raw) != wanted.config_digest:
            raise ImageError(f"the image config does not have the digest {wanted.config_digest}")
        return raw

    @contextlib.contextmanager
    def blob(self, digest: Digest, size: int) -> Iterator[BinaryIO]:
        """Yield a blob to read, of which the reader makes the digest.

        Raises ImageError at the end when the proxy found it wrong.
        """
        here = find_blob(self._reference, digest, size)
        if here:
            with here:
                yield cast("BinaryIO", here)
            return
        pipe, finish = self._channel.open_pipe("GetBlob", self._handle, digest, size, most=size)
        with contextlib.closing(pipe):
            yield cast("BinaryIO", pipe)
        # a blob that is larger than declared finds the pipe closed now, and fails
        finish.result()


@contextlib.contextmanager
def open_image(
    reference: ImageReference,
    options: ProxyOptions,
    limits: Limits = DEFAULT_LIMITS,
    *,
    scratch: Scratch | None = None,
) -> Iterator[RemoteImage]:
    """Yield an image, opened by a proxy that ends with us; an archive is unpacked in scratch.

    Raises NotFoundError, RegistryError, PolicyError or ImageError by what skopeo says, SystemFaultError
    without skopeo.
    """
    # while skopeo lives nobody else takes the directory away: also when we are killed
    kept = [scratch.descriptor] if scratch else []
    with (
        registry_access(reference, options) as access,
        running(
            _arguments(options, access, scratch), [*kept, *access.passed_fds], reference, limits
        ) as channel,
    ):
        yield _opened(channel, reference, access)


def _opened(channel: Channel, reference: ImageReference, access: Access) -> RemoteImage:
    version = channel.call("Initialize").value
    if _version(str(version)) < CHECKED_SINCE:
        require_no_policy(policy_files())
    return RemoteImage(channel, channel.call("OpenImage", str(reference)).value, reference, access)


def _arguments(options: ProxyOptions, access: Access, scratch: Scratch | None) -> list[str]:
    platform = options.platform
    settings = {
        "--tmpdir": scratch and scratch.path,
        "--override-os": platform and platform.os,
        "--override-arch": platform and platform.architecture,
        "--override-variant": platform and platform.variant,
    }
    arguments = [f"{option}={value}" for option, value in settings.items() if value]
    return [*arguments, "experimental-image-proxy", *access.options]


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")) if _VERSION.fullmatch(text) else ()
