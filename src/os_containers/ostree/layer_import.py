"""One layer: from tar entries to objects in a stage and a tree of their names."""

from dataclasses import dataclass

from os_containers.errors import ImageError
from os_containers.image.tar import Entry, EntryKind, TarReader
from os_containers.ostree.formats import Attributes
from os_containers.ostree.layer_tree import LayerTree, is_bookkeeping, is_whiteout
from os_containers.ostree.merge import WHITEOUT
from os_containers.ostree.object_stage import ObjectStage
from os_containers.ostree.objects import IMPLIED
from os_containers.ostree.tree import Directory


@dataclass(frozen=True, slots=True)
class StagedLayer:
    """A layer whose objects are in the stage; checksums are those of its topmost dirtree and dirmeta."""

    root: Directory
    checksums: tuple[str, str]
    unpacked: int
    skipped: int
    repeated: int

    def warnings(self) -> list[str]:
        """Return what the user should know about this layer."""
        said = []
        if self.skipped:
            said.append(f"{self.skipped} device nodes and other special files were left out")
        if self.repeated:
            said.append(f"{self.repeated} paths occur more than once, the last one counts")
        return said


def stage_layer(objects: ObjectStage, reader: TarReader) -> StagedLayer:
    """Write everything that a layer's tar holds into the stage."""
    tree = LayerTree()
    unpacked = 0
    for entry in reader:
        if WHITEOUT in entry.path and is_bookkeeping(entry.path):
            continue
        if WHITEOUT in entry.path and is_whiteout(entry.path):
            _add_whiteout(tree, objects, entry)
        else:
            _add(tree, objects, reader, entry)
            unpacked += entry.size
    tree.finish()
    return StagedLayer(
        root=tree.root,
        checksums=objects.write_tree(tree.root, unstated=IMPLIED),
        unpacked=unpacked,
        skipped=reader.skipped,
        repeated=tree.repeated,
    )


def _add(tree: LayerTree, objects: ObjectStage, reader: TarReader, entry: Entry) -> None:
    if entry.kind is EntryKind.FILE:
        tree.add_file(entry.path, objects.write_file(_attributes(entry), reader.content()))
    elif entry.kind is EntryKind.DIRECTORY:
        tree.add_directory(entry.path, objects.write_dirmeta(_attributes(entry)))
    elif entry.kind is EntryKind.SYMLINK:
        tree.add_link(entry.path, objects.write_symlink(_attributes(entry), entry.target))
    else:
        tree.add_hard_link(entry.path, entry.target)


def _add_whiteout(tree: LayerTree, objects: ObjectStage, entry: Entry) -> None:
    if entry.kind is not EntryKind.FILE:
        raise ImageError(f"the whiteout {entry.path!a} is not a regular file")
    tree.add_file(entry.path, objects.write_file(Attributes(), ()))


def _attributes(entry: Entry) -> Attributes:
    return Attributes(entry.uid, entry.gid, entry.mode, entry.xattrs)
