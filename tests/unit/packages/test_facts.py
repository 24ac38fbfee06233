"""What a package of a container says about itself."""

from pathlib import Path

import pytest

from os_containers.errors import ImageError
from os_containers.packages.facts import Facts, facts_of, translated


def facts(*, labels: dict[str, str], tag: str = "latest", created: str | None = None) -> Facts:
    return facts_of(
        "My_app",
        image="example.org/app:latest@sha256:00",
        tag=tag,
        architecture="amd64",
        created=created,
        labels=labels,
        runtime=Path("/usr/bin/crun"),
    )


def test_labels_say_it() -> None:
    """Those of OCI before those of old images; a control character ends no field."""
    labels = {
        "org.opencontainers.image.version": "v3.5.1-rc.1",
        "version": "1",
        "release": "7",
        "summary": "a store\nDepends: evil",
        "org.opencontainers.image.licenses": "Apache-2.0",
        "url": "https://example.org",
    }
    assert facts(labels=labels) == Facts(
        container="My_app",
        image="example.org/app:latest@sha256:00",
        architecture="amd64",
        version="3.5.1.rc.1",
        release="7",
        summary="a store Depends: evil",
        description="The image example.org/app:latest@sha256:00 as a service of the host.",
        license="Apache-2.0",
        url="https://example.org",
        runtime="crun",
    )


@pytest.mark.parametrize(
    ("tag", "created", "version", "release"),
    [
        ("3.5", "2026-11-26T10:20:30.5Z", "3.5", "20261126102030"),
        ("v1", None, "1", "1"),
        ("latest", "yesterday", "0", "1"),
        ("@sha256:00", None, "0", "1"),
    ],
)
def test_without_labels_tag_and_date_say_it(
    tag: str, created: str | None, version: str, release: str
) -> None:
    """So that a newer image is a newer package."""
    found = facts(labels={}, tag=tag, created=created)
    assert (found.version, found.release) == (version, release)


def test_the_name_is_one_in_every_format() -> None:
    """Debian has no capitals and no underscores in it."""
    assert facts(labels={}).name == "atomic-container-my-app"


def test_an_architecture_without_a_word_is_refused() -> None:
    with pytest.raises(ImageError, match="'wasm'"):
        translated("wasm", {"amd64": "x86_64"}, "RPM")
