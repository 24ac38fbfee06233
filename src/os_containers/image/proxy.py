"""Client of `skopeo experimental-image-proxy`: images of every transport, by the rules of the host.

Requests and replies are JSON datagrams on a socket pair; a manifest or a blob comes through a pipe whose read
end the reply passes. One request at a time is under way; several blobs may flow beside it.

    -> {"method": "GetBlob", "args": [1, "sha256:…", 27401247]}
    <- {"success": true, "value": 27401247, "pipeid": 10, "error": ""}  + a descriptor
    -> {"method": "FinishPipe", "args": [10]}
    <- {"success": true, …}
"""

import base64
import contextlib
import functools
import json
import logging
import os
import re
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from os_containers import process
from os_containers.errors import ImageError, OsContainersError, RegistryError, SystemFaultError
from os_containers.image.blob_pipe import BlobPipe
from os_containers.image.failures import TransientError, failure
from os_containers.image.limits import DEFAULT_LIMITS
from os_containers.image.manifest import Digest, Platform, parse_manifest, with_layers
from os_containers.image.policy import CHECKED_SINCE, policy_files, require_no_policy
from os_containers.image.reference import ImageReference

logger = logging.getLogger(__name__)

_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})*")
_REPLY_SIZE = 32 << 10
# A large archive is unpacked before the first reply; a dead registry takes its time to fail (seconds).
_REPLY_TIMEOUT = 600.0
# It has only temporary files to remove, unless it still waits for a registry that has fallen silent.
_END_TIMEOUT = 3.0
# Seconds before a request that may yet succeed is sent again.
_PAUSES = (1.0, 4.0, 16.0)


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """How a registry is talked to; credentials are `user:password`."""

    tls_verify: bool = True
    authfile: Path | None = None
    credentials: str | None = None
    platform: Platform | None = None


class _Reply(msgspec.Struct):
    success: bool
    value: object = None
    pipeid: int = 0
    error: str = ""


class RemoteImage:
    """An image that skopeo has opened for us."""

    def __init__(self, proxy: "_Proxy", handle: object, reference: ImageReference) -> None:
        self._proxy = proxy
        self._handle = handle
        self._reference = reference

    def manifest(self) -> tuple[Digest, bytes]:
        """Return the digest in the registry, and the manifest of the one image that was chosen.

        skopeo converts a Docker manifest to OCI, so the bytes need not have that digest. It has compared what
        the registry sent with the digest of the reference, which may be that of an index around the image.
        """
        return self._manifest

    @functools.cached_property
    def _manifest(self) -> tuple[Digest, bytes]:
        value, raw = self._proxy.read("GetManifest", self._handle)
        if self._reference.transport == "containers-storage":
            # it keeps the manifest of the registry, but the layers unpacked
            raw = with_layers(raw, self._proxy.call("GetLayerInfo", self._handle).value)
        return Digest.parse(str(value)), raw

    def config(self) -> bytes:
        """Return the image config, byte for byte as the manifest names it."""
        _, manifest = self._manifest
        wanted = parse_manifest(manifest)
        # parsed and written anew by skopeo: what a converted manifest names; any other names the blob
        _, raw = self._proxy.read("GetFullConfig", self._handle)
        if Digest.of(raw) == wanted.config_digest:
            return raw
        if wanted.config_size > DEFAULT_LIMITS.json_size:
            raise ImageError(f"the image config is larger than {DEFAULT_LIMITS.json_size} bytes")
        with self.blob(wanted.config_digest, wanted.config_size) as file:
            raw = b"".join(iter(lambda: file.read(_REPLY_SIZE), b""))
        if Digest.of(raw) != wanted.config_digest:
            raise ImageError(f"the image config does not have the digest {wanted.config_digest}")
        return raw

    @contextlib.contextmanager
    def blob(self, digest: Digest, size: int) -> Iterator[BinaryIO]:
        """Yield a blob to read; raises ImageError at the end when the proxy found it wrong."""
        descriptor, finish = self._proxy.open_pipe("GetBlob", self._handle, digest, size)
        pipe = BlobPipe(
            descriptor,
            size,
            image=str(self._reference),
            on_silence=finish.ask,
            on_early_end=finish.result,
        )
        with contextlib.closing(pipe):
            yield cast("BinaryIO", pipe)
        # a blob that is larger than declared finds the pipe closed now, and fails
        finish.result()


@contextlib.contextmanager
def open_image(reference: ImageReference, options: ProxyOptions) -> Iterator[RemoteImage]:
    """Yield an image, opened by a proxy that ends with us.

    Raises NotFoundError, RegistryError, PolicyError or ImageError by what skopeo says, SystemFaultError
    without skopeo.
    """
    with _credentials(reference, options) as authfile, _running(_arguments(options, authfile)) as proxy:
        yield _opened(proxy, reference)


class _Proxy:
    """The requests and replies of one running proxy."""

    def __init__(self, channel: socket.socket, said: BinaryIO) -> None:
        self.reference = ""
        self._channel = channel
        self._said = said
        self._one_at_a_time = threading.Lock()
        self._beside: list[threading.Thread] = []

    def call(self, method: str, *arguments: object) -> _Reply:
        """Return the reply to a request that passes no descriptor."""
        reply, descriptors = self._request(method, arguments)
        _close(descriptors)
        return reply

    def open_pipe(self, method: str, *arguments: object) -> "tuple[int, _Finish]":
        """Return the read end of the pipe through which the answer comes, and what ends it."""
        reply, descriptor = self._request_pipe(method, arguments)
        return descriptor, _Finish(self, reply.pipeid)

    def read(self, method: str, handle: object) -> tuple[object, bytes]:
        """Return value and bytes of an answer that is small."""
        limit = DEFAULT_LIMITS.json_size
        reply, descriptor = self._request_pipe(method, (handle,))
        finish = _Finish(self, reply.pipeid)
        finish.ask()
        pipe = BlobPipe(
            descriptor, limit + 1, image=self.reference, on_silence=finish.ask, on_early_end=finish.result
        )
        with contextlib.closing(pipe):
            raw = b"".join(iter(lambda: pipe.read(_REPLY_SIZE), b""))
        if len(raw) > limit:
            raise ImageError(f"{method}: more than {limit} bytes")
        finish.result()
        return reply.value, raw

    def start_beside(self, ask: Callable[[], None]) -> threading.Thread:
        """Return a thread that asks something, and that hang_up() waits for."""
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        self._beside.append(thread)
        return thread

    def hang_up(self) -> None:
        """Tell the proxy to end, and return when nobody talks to it any more."""
        with contextlib.suppress(OSError):
            # close() alone does neither while a thread waits for an answer
            self._channel.shutdown(socket.SHUT_RDWR)
        for thread in self._beside:
            thread.join()

    def _request_pipe(self, method: str, arguments: Sequence[object]) -> tuple[_Reply, int]:
        reply, descriptors = self._request(method, arguments)
        if len(descriptors) != 1:
            _close(descriptors)
            raise SystemFaultError(f"skopeo passed {len(descriptors)} descriptors for {method}, not one")
        return reply, descriptors[0]

    def _request(self, method: str, arguments: Sequence[object]) -> tuple[_Reply, list[int]]:
        # what has begun to flow through a pipe cannot be sent again
        for pause in _PAUSES if method != "FinishPipe" else ():
            try:
                return self._request_once(method, arguments)
            except TransientError as error:
                logger.debug("%s; trying again in %g s", error.message, pause)
                time.sleep(pause)
        return self._request_once(method, arguments)

    def _request_once(self, method: str, arguments: Sequence[object]) -> tuple[_Reply, list[int]]:
        request = json.dumps({"method": method, "args": list(arguments)}).encode()
        with self._one_at_a_time:
            data, descriptors = self._exchange(request)
        try:
            return self._reply(method, data), descriptors
        except OsContainersError:
            _close(descriptors)
            raise

    def _reply(self, method: str, data: bytes) -> _Reply:
        try:
            reply = msgspec.json.decode(data, type=_Reply)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise SystemFaultError(f"skopeo answered nonsense to {method}: {error}") from error
        if not reply.success:
            raise failure(reply.error, self.reference)
        return reply

    def _exchange(self, request: bytes) -> tuple[bytes, list[int]]:
        try:
            self._channel.send(request)
            data, descriptors, _, _ = socket.recv_fds(self._channel, _REPLY_SIZE, 2, socket.MSG_CMSG_CLOEXEC)
        except TimeoutError as error:
            raise RegistryError(
                f"{self.reference}: skopeo did not answer for {_REPLY_TIMEOUT:.0f} seconds",
                hint="try again later",
            ) from error
        except OSError as error:
            raise self._ended() from error
        if not data:
            _close(descriptors)
            raise self._ended()
        return data, descriptors

    def _ended(self) -> OsContainersError:
        self._said.seek(0)
        error = failure(self._said.read().decode(errors="replace") or "skopeo ended", self.reference)
        # whatever its reason was, there is nobody left to ask again
        return RegistryError(error.message, hint=error.hint) if isinstance(error, TransientError) else error


class _Finish:
    """Asks the proxy, once, to finish a pipe: its answer says whether all that came through was right."""

    def __init__(self, proxy: _Proxy, pipe: int) -> None:
        self._proxy = proxy
        self._pipe = pipe
        self._asking: threading.Thread | None = None
        self._failure: OsContainersError | None = None

    def ask(self) -> None:
        """Ask beside whoever reads the pipe: the proxy answers only when it has written everything."""
        if self._asking is None:
            self._asking = self._proxy.start_beside(self._ask)

    def result(self) -> None:
        """Return when all was right; raise what was wrong."""
        self.ask()
        if self._asking:
            self._asking.join()
        if self._failure:
            raise self._failure

    def _ask(self) -> None:
        try:
            self._proxy.call("FinishPipe", self._pipe)
        except OsContainersError as error:
            self._failure = error


def _opened(proxy: _Proxy, reference: ImageReference) -> RemoteImage:
    proxy.reference = str(reference)
    version = proxy.call("Initialize").value
    if _version(str(version)) < CHECKED_SINCE:
        require_no_policy(policy_files())
    return RemoteImage(proxy, proxy.call("OpenImage", str(reference)).value, reference)


@contextlib.contextmanager
def _running(arguments: Sequence[str]) -> Iterator[_Proxy]:
    """Run a proxy; it ends with its socket, and what it unpacked goes with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # an archive may be large, and /tmp is often memory
    place = os.environ.get("TMPDIR", "/var/tmp")  # noqa: S108 - a private directory is made in it
    scratch = tempfile.TemporaryDirectory(prefix="os-containers-", dir=place)
    with scratch as directory, tempfile.TemporaryFile() as said, ours:
        with theirs:
            child = process.spawn(
                ["skopeo", f"--tmpdir={directory}", *arguments, f"--sockfd={theirs.fileno()}"],
                passed_fds=[theirs.fileno()],
                stderr=said,
            )
        ours.settimeout(_REPLY_TIMEOUT)
        proxy = _Proxy(ours, cast("BinaryIO", said))
        try:
            yield proxy
        finally:
            proxy.hang_up()
            process.end(child, timeout=_END_TIMEOUT)


def _arguments(options: ProxyOptions, authfile: Path | None) -> list[str]:
    platform = options.platform
    overrides = (
        {
            "--override-os": platform.os,
            "--override-arch": platform.architecture,
            "--override-variant": platform.variant,
        }
        if platform
        else {}
    )
    arguments = [f"{option}={value}" for option, value in overrides.items() if value]
    arguments.append("experimental-image-proxy")
    if not options.tls_verify:
        arguments.append("--tls-verify=false")
    if authfile:
        arguments.append(f"--authfile={authfile}")
    return arguments


@contextlib.contextmanager
def _credentials(reference: ImageReference, options: ProxyOptions) -> Iterator[Path | None]:
    """Yield the authfile to use: the one given, or a private one, since others can read argument lists."""
    if not options.credentials:
        yield options.authfile
        return
    secret = base64.b64encode(options.credentials.encode()).decode()
    with tempfile.TemporaryDirectory(prefix="os-containers-") as directory:
        authfile = Path(directory) / "auth.json"
        authfile.touch(mode=0o600)
        authfile.write_text(json.dumps({"auths": {reference.registry: {"auth": secret}}}))
        yield authfile


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")) if _VERSION.fullmatch(text) else ()


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
