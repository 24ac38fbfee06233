"""The talk with `skopeo experimental-image-proxy`: requests, replies, and the pipes that these pass.

Requests and replies are JSON datagrams on a socket pair; a manifest or a blob comes through a pipe whose read
end the reply passes. One request at a time is under way; several blobs may flow beside it.

    -> {"method": "GetBlob", "args": [1, "sha256:…", 27401247]}
    <- {"success": true, "value": 27401247, "pipeid": 10, "error": ""}  + a descriptor
    -> {"method": "FinishPipe", "args": [10]}
    <- {"success": true, …}
"""

import contextlib
import errno
import json
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, cast

import msgspec

from os_containers import process
from os_containers.errors import ImageError, LimitError, OsContainersError, RegistryError, SystemFaultError
from os_containers.faults import system_fault
from os_containers.image import strict_json
from os_containers.image.blob_pipe import BlobPipe
from os_containers.image.failures import TransientError, crash, failure
from os_containers.image.limits import Limits
from os_containers.image.reference import ImageReference
from os_containers.image.retrying import retried

CHUNK = 32 << 10
# Seconds for a reply about what is on this machine: a large archive is unpacked before the first.
_UNPACK_TIMEOUT = 600.0
# It has only temporary files to remove, unless it still waits for a registry that has fallen silent.
_END_TIMEOUT = 3.0
# One is passed with an answer; with room for another, a second one shows.
_MOST_DESCRIPTORS = 2


class _Reply(msgspec.Struct):
    success: bool
    value: object = None
    pipeid: int = 0
    error: str = ""


class Channel:
    """The requests and replies of one running proxy."""

    def __init__(
        self, channel: socket.socket, said: BinaryIO, reference: ImageReference, limits: Limits
    ) -> None:
        self.limits = limits
        self.reply_timeout = limits.no_progress if reference.registry else _UNPACK_TIMEOUT
        self._reference = str(reference)
        self._channel = channel
        self._said = said
        self._one_at_a_time = threading.Lock()
        self._beside: list[threading.Thread] = []

    def call(self, method: str, *arguments: object) -> _Reply:
        """Return the reply to a request that passes no descriptor."""
        reply, descriptors = self._request(method, arguments)
        _close(descriptors)
        return reply

    def open_pipe(self, method: str, *arguments: object, most: int) -> "tuple[BlobPipe, _Finish]":
        """Return the pipe through which the answer comes, of which most bytes are read, and what ends it."""
        reply, descriptors = self._request(method, arguments)
        if len(descriptors) != 1:
            _close(descriptors)
            raise SystemFaultError(f"skopeo passed {len(descriptors)} descriptors for {method}, not one")
        finish = _Finish(self, reply)
        pipe = BlobPipe(
            descriptors[0],
            most,
            image=self._reference,
            stalled_after=self.limits.no_progress,
            on_silence=finish.ask,
            on_early_end=finish.result,
        )
        return pipe, finish

    def read(self, method: str, handle: object) -> tuple[object, bytes]:
        """Return value and bytes of an answer that is small."""
        most = self.limits.json_size
        pipe, finish = self.open_pipe(method, handle, most=most + 1)
        with contextlib.closing(pipe):
            # only then does the proxy close its end
            finish.ask()
            raw = b"".join(iter(lambda: pipe.read(CHUNK), b""))
        if len(raw) > most:
            fact = f"{self._reference}: {method} returned more than {most} bytes"
            raise LimitError(fact, limit="json-size")
        finish.result()
        return finish.reply.value, raw

    def too_slow(self) -> RegistryError:
        return RegistryError(
            f"{self._reference}: skopeo did not answer for {self.reply_timeout:g} seconds",
            hint="try again later: the registry may be overloaded or limiting requests",
        )

    def start_beside(self, ask: Callable[[], None]) -> threading.Thread:
        """Return a thread that asks something, and that hang_up() waits for."""
        thread = threading.Thread(target=ask, daemon=True)
        process.start_thread(thread)
        self._beside.append(thread)
        return thread

    def hang_up(self) -> None:
        """Tell the proxy to end, and return when nobody talks to it any more."""
        with contextlib.suppress(OSError):
            # close() alone does neither while a thread waits for an answer
            self._channel.shutdown(socket.SHUT_RDWR)
        for thread in self._beside:
            thread.join()

    def _request(self, method: str, arguments: Sequence[object]) -> tuple[_Reply, list[int]]:
        if method == "FinishPipe":
            # what has begun to flow through a pipe cannot be asked for again
            return self._request_once(method, arguments)
        return retried(lambda: self._request_once(method, arguments), self.limits)

    def _request_once(self, method: str, arguments: Sequence[object]) -> tuple[_Reply, list[int]]:
        request = json.dumps({"method": method, "args": list(arguments)}).encode()
        with self._one_at_a_time:
            # while data flow, nobody waits for the end of a pipe: whoever reads it notices when it stalls
            self._channel.settimeout(None if method == "FinishPipe" else self.reply_timeout)
            data, descriptors = self._exchange(request)
        try:
            return self._reply(method, data), descriptors
        except OsContainersError:
            _close(descriptors)
            raise

    def _reply(self, method: str, data: bytes) -> _Reply:
        try:
            reply = strict_json.decode(data, _Reply, f"skopeo's reply to {method}", self.limits)
        except ImageError as error:
            raise SystemFaultError(error.message, hint="update skopeo") from error
        if not reply.success:
            raise failure(reply.error, self._reference)
        return reply

    def _exchange(self, request: bytes) -> tuple[bytes, list[int]]:
        most = self.limits.reply_size
        try:
            self._channel.send(request)
            data, descriptors, flags, _ = socket.recv_fds(
                self._channel, most + 1, _MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
            )
        except TimeoutError as error:
            raise self.too_slow() from error
        except OSError as error:
            raise self._ended() from error
        if not data:
            _close(descriptors)
            raise self._ended()
        if flags & socket.MSG_CTRUNC and len(descriptors) < _MOST_DESCRIPTORS:
            # there was room for what was passed, but no free descriptors
            _close(descriptors)
            raise system_fault(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
        if len(data) > most:
            _close(descriptors)
            raise SystemFaultError(f"skopeo answered with more than {most} bytes", hint="update skopeo")
        return data, descriptors

    def _ended(self) -> OsContainersError:
        self._said.seek(0)
        said = self._said.read().decode(errors="replace") or "skopeo ended"
        error = crash(said) or failure(said, self._reference)
        # whatever its reason was, there is nobody left to ask again
        return RegistryError(error.message, hint=error.hint) if isinstance(error, TransientError) else error


class _Finish:
    """Asks the proxy, once, to finish a pipe: its answer says whether all that came through was right."""

    def __init__(self, channel: Channel, reply: _Reply) -> None:
        self.reply = reply
        self._channel = channel
        self._asking: threading.Thread | None = None
        self._failure: OsContainersError | None = None

    def ask(self) -> None:
        """Ask beside whoever reads the pipe: the proxy answers only when it has written everything."""
        if self._asking is None:
            self._asking = self._channel.start_beside(self._ask)

    def result(self) -> None:
        """Return when all was right; raise what was wrong."""
        self.ask()
        if self._asking:
            self._asking.join(self._channel.reply_timeout)
            if self._asking.is_alive():
                raise self._channel.too_slow()
        if self._failure:
            raise self._failure

    def _ask(self) -> None:
        try:
            self._channel.call("FinishPipe", self.reply.pipeid)
        except OsContainersError as error:
            self._failure = error


@contextlib.contextmanager
def running(
    arguments: Sequence[str], passed_fds: Sequence[int], reference: ImageReference, limits: Limits
) -> Iterator[Channel]:
    """Run a proxy; it ends with its socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, tempfile.TemporaryFile() as said:
        with theirs:
            child = process.spawn(
                ["skopeo", *arguments, f"--sockfd={theirs.fileno()}"],
                passed_fds=[theirs.fileno(), *passed_fds],
                stderr=said,
            )
        channel = Channel(ours, cast("BinaryIO", said), reference, limits)
        try:
            yield channel
        finally:
            channel.hang_up()
            process.end(child, timeout=_END_TIMEOUT)


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
