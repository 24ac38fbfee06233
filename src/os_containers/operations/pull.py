"""Bring an image from a registry, an archive or a directory into the store."""

from os_containers.events import Warned
from os_containers.image.access import ProxyOptions
from os_containers.image.manifest import Platform
from os_containers.image.name import store_name
from os_containers.image.proxy import open_image
from os_containers.image.reference import ImageReference, normalize_name
from os_containers.operations.limits_named import limits_named
from os_containers.operations.system import System
from os_containers.ostree.importer import import_image
from os_containers.ostree.stored_image import StoredImage


def pull(
    system: System,
    reference: ImageReference,
    *,
    options: ProxyOptions | None = None,
    name: str | None = None,
) -> StoredImage:
    """Return the image, now in the store under its own name or the one given."""
    stored_as = normalize_name(name) if name else store_name(reference)
    limits = system.config.limits
    repo = system.repo()
    with (
        limits_named(system),
        system.store_in_use(),
        repo.scratch() as scratch,
        open_image(reference, options or ProxyOptions(), limits, scratch=scratch) as remote,
    ):
        digest, manifest = remote.manifest()
        stored = import_image(
            repo,
            remote,
            manifest_digest=digest,
            manifest_raw=manifest,
            config_raw=remote.config(),
            name=stored_as,
            limits=limits,
            on_event=system.on_event,
        )
    if options and options.platform:
        _warn_of_another(system, stored, options.platform)
    return stored


def _warn_of_another(system: System, stored: StoredImage, wanted: Platform) -> None:
    """Warn of an image of one platform alone, which a registry gives to whoever asks for another."""
    config = stored.image_config()
    if (config.os, config.architecture) != (wanted.os, wanted.architecture):
        made_for = Platform(config.os, config.architecture)
        system.on_event(Warned(f"{stored.name} is made for {made_for} only, not for {wanted}"))
