"""What is fuzzed: every parser of bytes that an image, a registry, skopeo or a damaged disk decides.

    @target()
    def colour(data: bytes) -> None:
        parse_colour(data)

is a new one; its seeds go to corpus/colour/. A target returns, or raises one of our errors: check() holds it
to that. What it asserts beyond that holds for whatever was parsed.
"""

import contextlib
import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fuzz.peer import converse

from os_containers.deployment import exports, old_config, record, runtime_config, template
from os_containers.errors import OsContainersError
from os_containers.image import manifest as image_manifest
from os_containers.image.compression import PlainStream
from os_containers.image.reference import ImageReference
from os_containers.image.tar import TarReader
from os_containers.image.tarheader import BLOCK
from os_containers.operations.journal import dump_journal, parse_journal
from os_containers.ostree import refs as ref_names
from os_containers.ostree.layer_import import stage_layer
from os_containers.ostree.merge import WHITEOUT, merge
from os_containers.ostree.object_stage import object_stage
from os_containers.ostree.tree import Directory
from os_containers.ostree.variants import decode_dirtree, encode_dirtree
from os_containers.paths import Mode

CORPUS = Path(__file__).parent / "corpus"

_PLAIN_LIMIT = 2 << 20
_REF_LIMIT = 255  # a part of a ref is a file name


@dataclass(frozen=True)
class Target:
    """A parser, and how it may refuse."""

    run: Callable[[bytes], None]
    refuses: tuple[type[Exception], ...]

    def check(self, data: bytes) -> None:
        """Return when the parser takes or refuses data; raise whatever else happens."""
        with contextlib.suppress(*self.refuses):
            self.run(data)


TARGETS: dict[str, Target] = {}


def target(
    *refuses: type[Exception],
) -> Callable[[Callable[[bytes], None]], Callable[[bytes], None]]:
    """Make a function a target; without an argument it refuses by our own errors."""

    def register(run: Callable[[bytes], None]) -> Callable[[bytes], None]:
        TARGETS[run.__name__] = Target(run, refuses or (OsContainersError,))
        return run

    return register


@target()
def tar(data: bytes) -> None:
    reader = TarReader(io.BytesIO(_sealed(data)))
    size = 0
    for entry in reader:
        assert not {"", ".", ".."} & set(entry.path.split("/")) or not entry.path
        size += sum(len(piece) for piece in reader.content())
    assert size <= len(data)


@target()
def layer(data: bytes) -> None:
    with _stage_directory() as repo, object_stage(repo, Mode.USER) as stage:
        staged = stage_layer(stage, TarReader(io.BytesIO(_sealed(data))))
        lower = Directory(files={"a": "1"}, directories={"d": Directory(files={"b": "2"})})
        for directory in merge([lower, staged.root]).walk():
            names = [*directory.files, *directory.directories]
            assert len(names) == len(set(names))
            assert not any(name.startswith(WHITEOUT) or "/" in name for name in names)


def _sealed(archive: bytes) -> bytes:
    """Return a tar with right checksums: a fuzzer that changes a header would never get past them."""
    return b"".join(_sealed_block(archive[start : start + BLOCK]) for start in range(0, len(archive), BLOCK))


def _sealed_block(block: bytes) -> bytes:
    if len(block) < BLOCK or not block[257:].startswith(b"ustar"):
        return block
    before, after = block[:148], block[156:]
    return b"%s%06o\0 %s" % (before, sum(before) + sum(b" " * 8) + sum(after), after)


@contextlib.contextmanager
def _stage_directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as directory:
        for inner in ("objects", "tmp"):
            (Path(directory) / inner).mkdir()
        yield Path(directory)


@target()
def compressed(data: bytes) -> None:
    stream = PlainStream(io.BytesIO(data))
    read = 0
    while read < _PLAIN_LIMIT and (piece := stream.read(1 << 20)):
        read += len(piece)


@target()
def manifest(data: bytes) -> None:
    parsed = image_manifest.parse_manifest(data)
    assert all(len(one.digest) == len("sha256:") + 64 for one in parsed.layers)
    described = [
        {"digest": str(one.digest), "size": one.size, "media_type": one.media_type} for one in parsed.layers
    ]
    assert image_manifest.parse_manifest(image_manifest.with_layers(data, described)) == parsed


@target()
def image_config(data: bytes) -> None:
    image_manifest.parse_image_config(data)


@target()
def with_layers(data: bytes) -> None:
    image_manifest.with_layers(data, [])


@target()
def reference(data: bytes) -> None:
    parsed = ImageReference.parse(data.decode(errors="surrogateescape"))
    assert ImageReference.parse(str(parsed)) == parsed


@target()
def template_text(data: bytes) -> None:
    names = template.variables(data, source="fuzz")
    rendered = template.render(data, dict.fromkeys(names, "$X"), source="fuzz")
    assert not names or b"$X" in rendered


@target()
def config_json(data: bytes) -> None:
    config = runtime_config.parse_config(data, source="fuzz")
    old_config.upgrade(config)
    old_config.drop_labels(config, frozenset())
    runtime_config.confine(config, cgroups_path="/fuzz")
    runtime_config.bind_sources(config)
    assert runtime_config.parse_config(runtime_config.dump_config(config), source="again") == config


@target()
def info(data: bytes) -> None:
    parsed = record.parse_record(data)
    assert record.parse_record(record.dump_record(parsed)) == parsed


@target()
def journal(data: bytes) -> None:
    with contextlib.suppress(OsContainersError):
        parse_journal(data)
    # a fuzzer would never guess the checksum
    sealed = b'{"version": 1, "sum": "%s", "journal": %s}' % (hashlib.sha256(data).hexdigest().encode(), data)
    parsed = parse_journal(sealed)
    assert parse_journal(dump_journal(parsed)) == parsed


@target()
def export_manifest(data: bytes) -> None:
    exports.parse_manifest(data).defaults()


@target(ValueError)
def dirtree(data: bytes) -> None:
    files, directories = decode_dirtree(data)
    assert decode_dirtree(encode_dirtree(files, directories)) == (files, directories)


@target()
def refs(data: bytes) -> None:
    encoded = os.fsdecode(data[:_REF_LIMIT])
    ref_names.is_blob_ref(encoded)
    with contextlib.suppress(OsContainersError):
        ref_names.parse_pin(f"{ref_names.PINS}/{encoded}")
    name = ref_names.image_name(encoded)
    assert ref_names.decode_name(ref_names.encode_name(name)) == name


@target()
def proxy(data: bytes) -> None:
    converse(data)
