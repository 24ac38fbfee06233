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
    """List, look into, verify, mount, delete and prune images."""


@images.command(
    "list",
    output=ListOf(ImageJson, LayerJson),
    examples=(
        ("images list", "See what is in the store"),
        ("images list --filter used=false --quiet", "The ids of those that no container was made of"),
        ("images list --filter 'reference=quay.io/*'", "Those of one registry"),
    ),
)
@click.option("-a", "--all", "every", is_flag=True, help="Layers too.")
@image_filters.option(TESTS, values={"dangling": image_filters.BOOLEANS, "used": image_filters.BOOLEANS})
@click.option("-q", "--quiet", is_flag=True, help="Only the ids.")
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

    OWN is what of its SIZE is in layers that no other image has. USED BY names the containers that were made
    of it; in brackets those that can only return to it. An image without a name has been replaced by a newer
    one and is kept by its containers.
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
        ("images info quay.io/org/etcd:3.5", "See what an image is and wants before it is installed"),
        ("images info --remote quay.io/org/etcd:3.6", "Ask the registry about one that is not here"),
    ),
)
@options.image
@click.option("--remote", is_flag=True, help="Ask the registry; nothing is stored.")
@registry_options.registry
@options.as_json
@pass_invocation
def info(invocation: Invocation, image: str, *, remote: bool, options: ProxyOptions, as_json: bool) -> None:
    """Show what an image is, and what it asks of the host.

    IMAGE is a name or the beginning of an id. For one in the store: labels, layers, the size here and
    how much of it other images share, variables with their defaults and those that must be set, host
    files, and privileges. With --remote IMAGE is what `pull` takes; variables, host files and
    privileges are in the layers, so only a pulled image can tell them.
    """
    with invocation.system() as system:
        found = remote_image_info(system, image, options=options) if remote else image_info(system, image)
    if as_json:
        render.as_json(info_json(found))
    else:
        show(found)


@images.command(
    examples=(
        ("images delete quay.io/org/etcd:3.4", "Delete an image by its name"),
        ("images delete 96a61451 e612416b", "Two by the beginning of their ids"),
    ),
)
@options.images
@click.option("-f", "--force", is_flag=True, help="Also images that containers were made of; these go on.")
@options.dry_run
@pass_invocation
def delete(invocation: Invocation, images: tuple[str, ...], *, force: bool, dry_run: bool) -> None:
    """Take images out of the store, all or none of them.

    They are given by name or by the beginning of their ids. `images prune` then frees the space. Containers
    keep working without the image that they were made of.
    """
    with invocation.system() as system:
        when_in_use = WhenInUse.DELETE if force else WhenInUse.KEEP
        for name in delete_images(system, images, when_in_use, dry_run=dry_run):
            click.echo(f"{'would delete' if dry_run else 'deleted'} {name}")


@images.command(examples=(("images tag quay.io/org/etcd:3.5 localhost/etcd:tried", "Give an image a name"),))
@click.argument("source", metavar="IMAGE", shell_complete=complete.stored_images)
@click.argument("target")
@options.dry_run
@pass_invocation
def tag(invocation: Invocation, source: str, target: str, *, dry_run: bool) -> None:
    """Give an image a second name TARGET."""
    with invocation.system() as system:
        tagged = tag_image(system, source, target, dry_run=dry_run)
    click.echo(f"{'would name ' if dry_run else ''}{tagged.name} {tagged.digest}")


@images.command(
    output=PrunedJson,
    examples=(
        ("images prune --dry-run", "See what would be freed"),
        ("images prune", "Free it"),
    ),
)
@options.dry_run
@options.as_json
@pass_invocation
def prune(invocation: Invocation, *, dry_run: bool, as_json: bool) -> None:
    """Free what no image and no container needs.

    That are images that were deleted or replaced by newer ones, their layers, and what killed commands left.
    """
    with invocation.system() as system:
        plan = plan_prune(system) if dry_run else None
        pruned = plan.pruned if plan else prune_store(system)
    leftovers = plan.leftovers if plan else ()
    if as_json:
        render.as_json(pruned_json(pruned, leftovers, dry_run=dry_run))
        return
    for name in plan.interrupted if plan else ():
        click.echo(f"the interrupted change of {name} would be ended first")
    for line in pruned_lines(pruned, leftovers):
        click.echo(line)
    done = "would free" if dry_run else "freed"
    objects = "1 object" if pruned.objects == 1 else f"{pruned.objects} objects"
    click.echo(f"{done} {render.human_size(pruned.bytes)} in {objects}")


@images.command(
    output=list[VerifiedImage],
    examples=(
        ("images verify", "See whether all images are intact, and which have newer ones"),
        (
            "images verify --offline --json quay.io/org/etcd:3.5",
            "Only the files of one, for a monitor",
        ),
    ),
)
@click.argument("images", metavar="[IMAGE]...", nargs=-1, shell_complete=complete.stored_images)
@click.option("--offline", is_flag=True, help="Ask no registry.")
@click.option("--quick", is_flag=True, help="Only ask the registries.")
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
    """Tell whether images are intact and the newest ones.

    Their registries are asked whether they have others by now. Every file of an image is read and compared
    with its checksum. The exit code is 10 when an image is damaged, 8 when the system kept one from being
    read, 11 when a registry could not be asked, 12 when there is a newer image, and 0 when all is well.
    """
    if offline and quick:
        raise UsageError("--offline and --quick leave nothing to look at", hint="give one of them")
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
        ("images mount quay.io/org/etcd:3.5 /mnt", "Look at the files of an image"),
        ("images mount", "See what is mounted"),
    ),
)
@click.argument("image", metavar="[IMAGE]", required=False, shell_complete=complete.stored_images)
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@options.as_json
@pass_invocation
def mount(invocation: Invocation, image: str | None, directory: Path | None, *, as_json: bool) -> None:
    """Show the files of an image in a directory, read-only.

    DIR is an empty one; without it, it is one of ours, which is told. Setuid files, capabilities and devices
    have no effect there. Without IMAGE, list what is mounted. Only root can mount.
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
        ("images umount /mnt", "Take away what is mounted there"),
        ("images umount quay.io/org/etcd:3.5", "Wherever this image is mounted"),
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
    """Take mounts of images away, by directory or by image.

    umount(8) does as well: what that leaves, the next command removes that changes something.
    """
    with invocation.system() as system:
        for one in mounted:
            for path in unmount_image(system, one):
                click.echo(f"unmounted {path}")
