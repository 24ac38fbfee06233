"""The part of the NBD protocol that an emulator needs to use a disk of ours: read, write, flush.

The protocol: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

from testhost.volatile_disk import PowerLostError, VolatileDisk

_OPTION_MAGIC = b"IHAVEOPT"
_GREETING = b"NBDMAGIC" + _OPTION_MAGIC + struct.pack(">H", 0b11)  # fixed newstyle, no zeroes
_OPTION = struct.Struct(">8sII")
_OPTION_REPLY = struct.Struct(">QIII")
_OPTION_REPLY_MAGIC = 0x3E889045565A9
_OPTION_GO = 7
_ACKNOWLEDGED, _INFORMATION, _UNSUPPORTED = 1, 3, 0x80000001

_REQUEST = struct.Struct(">IHHQQI")
_REQUEST_MAGIC = 0x25609513
_REPLY = struct.Struct(">IIQ")
_REPLY_MAGIC = 0x67446698
_READ, _WRITE, _DISCONNECT, _FLUSH = 0, 1, 2, 3
_HAS_FLAGS, _HAS_FLUSH = 1, 4
_INVALID_ARGUMENT = 22


@contextlib.contextmanager
def served(disk: VolatileDisk, address: Path) -> Iterator[None]:
    """Serve a disk to the one who connects to a socket, in a thread; he must have gone at the end."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(address))
        listening.listen(1)
        thread = threading.Thread(target=_accept, args=(listening, disk), daemon=True)
        thread.start()
        try:
            yield
        finally:
            # wakes a thread that nobody ever connected to
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            address.unlink()


def _accept(listening: socket.socket, disk: VolatileDisk) -> None:
    # the other side is killed, at any time
    with contextlib.suppress(OSError, EOFError), listening.accept()[0] as connection:
        _negotiate(connection, disk.size)
        try:
            while _answer(connection, disk):
                pass
        except PowerLostError:
            # a disk without power does not hang up either
            while connection.recv(1 << 16):
                pass


def _negotiate(connection: socket.socket, size: int) -> None:
    connection.sendall(_GREETING)
    _receive(connection, 4)  # its flags
    while True:
        _, option, length = _OPTION.unpack(_receive(connection, _OPTION.size))
        _receive(connection, length)
        if option != _OPTION_GO:
            _reply_option(connection, option, _UNSUPPORTED)
            continue
        export = struct.pack(">HQH", 0, size, _HAS_FLAGS | _HAS_FLUSH)
        _reply_option(connection, option, _INFORMATION, export)
        _reply_option(connection, option, _ACKNOWLEDGED)
        return


def _reply_option(connection: socket.socket, option: int, kind: int, data: bytes = b"") -> None:
    connection.sendall(_OPTION_REPLY.pack(_OPTION_REPLY_MAGIC, option, kind, len(data)) + data)


def _answer(connection: socket.socket, disk: VolatileDisk) -> bool:
    """Answer a request; return whether others may follow."""
    _, _, kind, handle, offset, length = _REQUEST.unpack(_receive(connection, _REQUEST.size))
    error, data = 0, b""
    if kind == _READ:
        data = disk.read(offset, length)
    elif kind == _WRITE:
        disk.write(offset, _receive(connection, length))
    elif kind == _FLUSH:
        disk.flush()
    elif kind == _DISCONNECT:
        return False
    else:
        error = _INVALID_ARGUMENT
    connection.sendall(_REPLY.pack(_REPLY_MAGIC, error, handle) + data)
    return True


def _receive(connection: socket.socket, length: int) -> bytes:
    data = bytearray(length)
    view = memoryview(data)
    while view:
        count = connection.recv_into(view)
        if count == 0:
            raise EOFError
        view = view[count:]
    return bytes(data)
