"""The other end of the image proxy's socket: it says what a script says, whatever it is asked.

Each line of a script is one reply: letters for the descriptors that go with it, a space, and the datagram.

    - {"success": true, "value": "0.2.8"}
    m {"success": true, "value": "sha256:…", "pipeid": 1}

The letters: m, c and l are pipes that hold a manifest, its image config and its layer; e is an empty pipe, o
one that stays open, w the wrong end of one, d a directory, z /dev/zero, s a socket.
"""

import contextlib
import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator

from os_containers.image import proxy
from os_containers.image.channel import Channel
from os_containers.image.limits import Limits
from os_containers.image.manifest import DOCKER_CONFIG, OCI_MANIFEST, Digest, parse_manifest
from os_containers.image.reference import ImageReference

LAYER = b"layer"
CONFIG = b'{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}'
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": DOCKER_CONFIG, "digest": Digest.of(CONFIG), "size": len(CONFIG)},
        "layers": [
            {
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": Digest.of(LAYER),
                "size": len(LAYER),
            }
        ],
    }
).encode()

_REFERENCE = ImageReference.parse("quay.io/fuzz")
# A fuzzer tries thousands of peers that say nothing.
_LIMITS = Limits(no_progress=0.05, retry_pause=0.0)
_REPLIES = 16
_DESCRIPTORS = 5
_CONTENTS = {"m": MANIFEST, "c": CONFIG, "l": LAYER, "e": b""}
_FILES = {"d": ("/", os.O_RDONLY), "z": ("/dev/zero", os.O_RDONLY)}


def converse(script: bytes) -> None:
    """Read a whole image from a peer; nothing may be left of it, however it ends."""
    before = _left()
    try:
        with _peer(script) as channel, tempfile.TemporaryFile() as said:
            talking = Channel(channel, said, _REFERENCE, _LIMITS)
            try:
                _read_image(talking)
            finally:
                talking.hang_up()
    finally:
        assert _left() == before


def _read_image(talking: Channel) -> None:
    image = proxy._opened(talking, _REFERENCE, ())
    _, raw = image.manifest()
    image.config()
    for layer in parse_manifest(raw).layers:
        with image.blob(layer.digest, layer.size) as file:
            while file.read(1 << 16):
                pass


@contextlib.contextmanager
def _peer(script: bytes) -> Iterator[socket.socket]:
    """Yield our end of a socket in which all replies wait already, and then its end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, contextlib.ExitStack() as kept:
        theirs.settimeout(0)
        for line in script.split(b"\n")[:_REPLIES]:
            letters, _, reply = line.partition(b" ")
            _send(theirs, letters.decode("latin-1"), reply, kept)
        theirs.shutdown(socket.SHUT_WR)
        yield ours


def _send(theirs: socket.socket, letters: str, reply: bytes, kept: contextlib.ExitStack) -> None:
    with contextlib.ExitStack() as sent:
        passed = [end for letter in letters[:_DESCRIPTORS] for end in _descriptor(letter, sent, kept)]
        with contextlib.suppress(BlockingIOError):
            socket.send_fds(theirs, [reply], passed)


def _descriptor(letter: str, sent: contextlib.ExitStack, kept: contextlib.ExitStack) -> list[int]:
    if letter in _FILES:
        return [_closing(sent, os.open(*_FILES[letter]))]
    if letter == "s":
        one, other = socket.socketpair()
        kept.enter_context(other)
        return [sent.enter_context(one).fileno()]
    if letter not in {*_CONTENTS, "o", "w"}:
        return []
    read_end, write_end = os.pipe()
    if letter == "w":
        _closing(kept, read_end)
        return [_closing(sent, write_end)]
    os.write(write_end, _CONTENTS.get(letter, b""))
    _closing(kept if letter == "o" else sent, write_end)
    return [_closing(sent, read_end)]


def _closing(stack: contextlib.ExitStack, descriptor: int) -> int:
    stack.callback(os.close, descriptor)
    return descriptor


def _left() -> tuple[int, int]:
    return len(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208 - counted, not read
