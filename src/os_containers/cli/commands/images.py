"""os-containers images."""

from pathlib import Path

import click
import msgspec

from os_containers.cli import complete, options, registry_options, render
from os_containers.cli import filters as image_filters
from os_containers.cli.command import Group, ListOf
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.filters import filtered
from os_containers.cli.image_info import ImageInfoJson, info_json, show
from os_containers.cli.listed_images import (
    HEADING,
    NONE,
    TESTS,
    ImageJson,
    LayerJson,
    image_json,
    image_row,
    layer_json,
    layer_row,
)
from os_containers.cli.pruned import PrunedJson, pruned_json, pruned_lines
from os_containers.cli.verified_images import exit_code, show_verified
from os_containers.errors import UsageError
from os_containers.image.access import ProxyOptions
from os_containers.operations.image_info import image_info, remote_image_info
from os_containers.operations.image_mounts import mount_image, mounted_images, unmount_image
from os_containers.operations.images import (
    WhenInUse,
    delete_images,
    list_images,
    list_layers,
    tag_image,
)
from os_containers.operations.prune import plan_prune
from os_containers.operations.prune import prune as prune_store
from os_containers.operations.verify_images import Ask, VerifiedImage, verify_images


class MountedJson(msgspec.Struct, frozen=True):
    """A mounted image; one that was deleted has no names."""

    names: tuple[str, ...]
    commit: str
    path: str


@click.group(cls=Group)
def images() -> None:
    """List, inspect, verify, mount, tag, delete and prune images."""


@images.command(
    "list",
    output=ListOf(ImageJson, LayerJson),
    examples=(
        ("images list", "List the images in the store"),
        ("images list --filter used=false --quiet", "Print the IDs of images that no container uses"),
        ("images list --filter 'reference=quay.io/*'", "List the images of one registry"),
    ),
)
@click.option("-a", "--all", "every", is_flag=True, help="List layers, too.")
@image_filters.option(TESTS, values={"dangling": image_filters.BOOLEANS, "used": image_filters.BOOLEANS})
@click.option("-q", "--quiet", is_flag=True, help="Print only the IDs.")
@options.no_heading
@options.no_truncate
@options.as_json
@pass_invocation
def list_(
    invocation: Invocation,
    *,
    every: bool,
    filters: tuple[str, ...],
    quiet: bool,
    no_heading: bool,
    no_truncate: bool,
    as_json: bool,
) -> None:
    """List the images in the store.

    SIZE is the bytes of its files, and OWN LAYERS those in layers that no other image has. Images also share
    files that are in different layers, so deleting one usually frees less: `images info` shows how much.

    USED BY names the containers that were made from the image; parentheses mark those that can only roll back
    to it. An image without a name was replaced by a newer one or deleted, and is kept because a container
    still needs it.

    Of several filters with the same key, one must match; filters with different keys must all match.
    """
    with invocation.system() as system:
        listed = filtered(list_images(system), filters, TESTS)
        layers = list_layers(system) if every and not filters else []
    if as_json:
        render.as_json([*map(image_json, listed), *map(layer_json, layers)])
        return
    shown = str if no_truncate else render.short_id
    if quiet:
        for digest in dict.fromkeys(one.image.digest for one in listed):
            click.echo(shown(digest))
        return
    rows = [image_row(one, shown) for one in listed]
    rows += [layer_row(layer, shown) for layer in layers]
    render.table(None if no_heading else HEADING, rows)


@images.command(
    output=ImageInfoJson,
    examples=(
        (
            "images info quay.io/org/etcd:3.5",
            "See what an image contains and requires, before it is installed",
        ),
        ("images info --remote quay.io/org/etcd:3.6", "Inspect an image in its registry, without pulling it"),
    ),
)
@options.image
@click.option(
    "--remote",
    is_flag=True,
    help="Inspect the image where it is, usually in a registry, without storing anything.",
)
@registry_options.registry
@options.as_json
@pass_invocation
def info(invocation: Invocation, image: str, *, remote: bool, options: ProxyOptions, as_json: bool) -> None:
    """Show what an image contains, and what it requires from the host.

    IMAGE is a name or the beginning of an ID. This shows labels, layers, sizes, variables with their
    defaults and those that must be set, host files, and privileges. With --remote, IMAGE is anything that
    `pull` accepts; variables, host files and privileges are then missing, since they are only known once the
    layers have been pulled.

    Size and own layers are those of `images list`. On the disk, a file that is in several layers or images is
    there only once. What is said to be freed is what nothing else needs: `images prune` frees it when the
    last name of the image and the last container that was made from it are gone.
    """
    with invocation.system() as system:
        found = remote_image_info(system, image, options=options) if remote else image_info(system, image)
    if as_json:
        render.as_json(info_json(found))
    else:
        show(found)


@images.command(
    examples=(
        ("images delete quay.io/org/etcd:3.4", "Delete an image by name"),
        ("images delete 96a61451 e612416b", "Delete two images by the beginning of their IDs"),
    ),
)
@options.images
@click.option(
    "-f",
    "--force",
    is_flag=True,
    help="Also delete images that containers were made from; the containers keep working.",
)
@options.dry_run
@pass_invocation
def delete(invocation: Invocation, images: tuple[str, ...], *, force: bool, dry_run: bool) -> None:
    """Delete images from the store: all of those given, or none.

    IMAGE is a name, or the beginning of an ID, which stands for all names of that image. Containers keep
    working without the image that they were made from. Run `images prune` afterwards to free the space.
    """
    with invocation.system() as system:
        when_in_use = WhenInUse.DELETE if force else WhenInUse.KEEP
        for name in delete_images(system, images, when_in_use, dry_run=dry_run):
            click.echo(f"{'would delete' if dry_run else 'deleted'} {name}")


@images.command(
    examples=(("images tag quay.io/org/etcd:3.5 localhost/etcd:tried", "Give an image a second name"),)
)
@click.argument("source", metavar="IMAGE", shell_complete=complete.stored_images)
@click.argument("target")
@options.dry_run
@pass_invocation
def tag(invocation: Invocation, source: str, target: str, *, dry_run: bool) -> None:
    """Give an image another name, TARGET.

    If TARGET is already the name of another image, that image loses it.
    """
    with invocation.system() as system:
        tagged = tag_image(system, source, target, dry_run=dry_run)
    click.echo(f"{'would name ' if dry_run else ''}{tagged.name} {tagged.digest}")


@images.command(
    output=PrunedJson,
    examples=(
        ("images prune --dry-run", "See what would be freed"),
        ("images prune", "Free the space"),
    ),
)
@options.dry_run
@options.as_json
@pass_invocation
def prune(invocation: Invocation, *, dry_run: bool, as_json: bool) -> None:
    """Remove what no image and no container needs.

    This removes images that were deleted or replaced by newer ones, layers that are no longer needed, and
    what killed commands left behind. An image that has a name is kept, even if no container uses it.
    """
    with invocation.system() as system:
        plan = plan_prune(system) if dry_run else None
        pruned = plan.pruned if plan else prune_store(system)
    leftovers = plan.leftovers if plan else ()
    if as_json:
        render.as_json(pruned_json(pruned, leftovers, dry_run=dry_run))
        return
    for name in plan.interrupted if plan else ():
        click.echo(f"the interrupted change of {name} would first be finished or undone")
    for line in pruned_lines(pruned, leftovers):
        click.echo(line)
    done = "would free" if dry_run else "freed"
    objects = "1 object" if pruned.objects == 1 else f"{pruned.objects} objects"
    click.echo(f"{done} {render.human_size(pruned.bytes)} in {objects}")


@images.command(
    output=list[VerifiedImage],
    examples=(
        ("images verify", "Check whether images are intact, and which have a newer version"),
        (
            "images verify --offline --json quay.io/org/etcd:3.5",
            "Check only the files of one image, for a monitoring system",
        ),
    ),
)
@click.argument("images", metavar="[IMAGE]...", nargs=-1, shell_complete=complete.stored_images)
@click.option("--offline", is_flag=True, help="Do not contact registries.")
@click.option("--quick", is_flag=True, help="Only ask registries; do not read the files of images.")
@registry_options.registry
@options.as_json
@pass_invocation
def verify(
    invocation: Invocation,
    images: tuple[str, ...],
    *,
    offline: bool,
    quick: bool,
    options: ProxyOptions,
    as_json: bool,
) -> int:
    """Check whether images are intact and up to date.

    Every file of an image is read and compared with its checksum, and its registry is asked whether the name
    stands for a newer image by now. Without IMAGE, all images are checked. The exit code is 10 if an image is
    damaged, 8 if the system kept one from being read, 11 if a registry could not be asked or no longer has
    the image, 12 if there is a newer image, and 0 if all is well.
    """
    if offline and quick:
        raise UsageError("--offline and --quick leave nothing to verify", hint="give only one of them")
    ask = Ask.OBJECTS if offline else Ask.REGISTRIES if quick else Ask.ALL
    with invocation.system() as system:
        found = list(verify_images(system, images, ask=ask, options=options))
    if as_json:
        render.as_json(found)
    else:
        show_verified(found)
    return exit_code(found)


@images.command(
    output=list[MountedJson],
    examples=(
        ("images mount quay.io/org/etcd:3.5 /mnt", "Mount an image at a directory"),
        ("images mount", "List the images that are mounted"),
    ),
)
@click.argument("image", metavar="[IMAGE]", required=False, shell_complete=complete.stored_images)
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@options.as_json
@pass_invocation
def mount(invocation: Invocation, image: str | None, directory: Path | None, *, as_json: bool) -> None:
    """Mount an image read-only, to look at its files.

    DIR must be an empty directory; without it, one below /run is used. The path is printed. Setuid bits,
    capabilities and device nodes have no effect there. Without IMAGE, mounted images are listed. Only root
    can mount images.
    """
    with invocation.system() as system:
        found = [mount_image(system, image, directory)] if image else mounted_images(system)
    if as_json:
        render.as_json([MountedJson(one.names, one.commit, str(one.path)) for one in found])
    elif image:
        click.echo(found[0].path)
    else:
        rows = [(", ".join(one.names) or NONE, str(one.path)) for one in found]
        render.table(("IMAGE", "MOUNTED AT"), rows)


@images.command(
    examples=(
        ("images umount /mnt", "Unmount the image at a directory"),
        ("images umount quay.io/org/etcd:3.5", "Unmount an image wherever it is mounted"),
    ),
)
@click.argument(
    "mounted",
    metavar="DIR|IMAGE...",
    nargs=-1,
    required=True,
    shell_complete=complete.stored_images,
)
@pass_invocation
def umount(invocation: Invocation, mounted: tuple[str, ...]) -> None:
    """Unmount images, given by directory or by image.

    umount(8) can be used as well: what it leaves behind is removed by the next command that changes anything.
    """
    with invocation.system() as system:
        for one in mounted:
            for path in unmount_image(system, one):
                click.echo(f"unmounted {path}")
