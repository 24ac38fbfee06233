"""The names under which the repo keeps things; pure.

    ociimage/docker.io_2Flibrary_2Fetcd_3A3.5    an image by its name: the merged commit
    ociimage/<64 hex digits>                     a blob by its digest: the commit of a layer or image config
    os-containers/deploy/etcd/17                 a pin: the merged commit of deployment 17 of etcd
    os-containers/state/_2Fsrv_2Fa/etcd/17       the same of a state that the repo is not in: /srv/a

The first two are the names that the Go tool and containers/image used. A name's bytes other than
[A-Za-z0-9.-] are written as `_` and two hexadecimal digits. So is the first byte when it is `.` or `-` (a ref
may not begin so) or when the name would look like a blob's.
"""

import re

from os_containers.errors import BrokenError, UsageError

IMAGES = "ociimage"
_OWN = "os-containers"
PINS = f"{_OWN}/deploy"
_STATES = f"{_OWN}/state"
# Beneath which names there is nobody else's.
OURS = (IMAGES, _OWN)
# Beneath which names there are pins, and so many levels further down.
ALL_PINS = {PINS: 2, _STATES: 3}

# A ref is a file in refs/heads.
_MAX_NAME = 255

_PLAIN = re.compile(rb"[A-Za-z0-9.-]")
_ENCODED = re.compile(r"(?:[A-Za-z0-9.-]|_[0-9A-Fa-f]{2})+")
_BLOB = re.compile(r"[0-9a-f]{64}")
_PIN = re.compile(rf"(?:{PINS}|{_STATES}/(?P<state>[^/]+))/(?P<name>[^/]+)/(?P<serial>[0-9]+)")


def encode_name(name: str) -> str:
    """Return a name as a part of a ref; decode_name gives it back."""
    data = name.encode(errors="surrogateescape")
    encoded = "".join(chr(byte) if _PLAIN.fullmatch(bytes([byte])) else f"_{byte:02X}" for byte in data)
    if encoded.startswith((".", "-")) or _BLOB.fullmatch(encoded):
        encoded = f"_{data[0]:02X}{encoded[1:]}"
    return encoded


def decode_name(encoded: str) -> str:
    """Return the name that encode_name was given; raises BrokenError for what it cannot have written."""
    if not _ENCODED.fullmatch(encoded):
        raise BrokenError(f"not the ref of an image: {encoded!a}")
    data = re.sub(
        rb"_(..)", lambda escape: bytes.fromhex(escape[1].decode()), encoded.encode(), flags=re.DOTALL
    )
    return data.decode(errors="surrogateescape")


def image_ref(name: str) -> str:
    """Return the ref of an image; raises UsageError for a name that no file can carry."""
    encoded = encode_name(name)
    if not 0 < len(encoded) <= _MAX_NAME:
        raise UsageError(f"not a usable image name: {name[:100]!a}", hint="give a shorter name")
    return f"{IMAGES}/{encoded}"


def blob_ref(digest_hex: str) -> str:
    return f"{IMAGES}/{digest_hex}"


def state_pins(state: str) -> str:
    """Return beneath which name a state has its pins in a repo that others use, too."""
    encoded = encode_name(state)
    if len(encoded) > _MAX_NAME:
        raise UsageError(
            f"the path {state} is too long for a state directory that shares a repo",
            hint="use a shorter path",
        )
    return f"{_STATES}/{encoded}"


def pin_ref(container: str, serial: int, *, pins: str = PINS) -> str:
    return f"{pins}/{container}/{serial}"


def is_blob_ref(ref: str) -> bool:
    """Tell a blob's ref from an image's."""
    return _BLOB.fullmatch(ref.removeprefix(f"{IMAGES}/")) is not None


def image_name(ref: str) -> str:
    """Return the image name in a ref; raises BrokenError when it is none."""
    return decode_name(ref.removeprefix(f"{IMAGES}/"))


def parse_pin(ref: str) -> tuple[str, int]:
    """Return container and serial of a pin; raises BrokenError when it is none."""
    pin = find_pin(ref)
    if not pin:
        raise BrokenError(f"not the pin of a deployment: {ref!a}")
    return pin


def find_pin(ref: str) -> tuple[str, int] | None:
    """Return container and serial of a pin, None for another ref."""
    match = _PIN.fullmatch(ref)
    return (match["name"], int(match["serial"])) if match else None


def pin_state(ref: str) -> str | None:
    """Return the state whose pin it is, None for the one that the repo is in."""
    match = _PIN.fullmatch(ref)
    return decode_name(match["state"]) if match and match["state"] else None
