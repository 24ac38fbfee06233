"""What a mistyped name is answered with."""

import pytest

from os_containers.suggestions import image_suggestion, suggestion

CONTAINERS = ("web", "vol", "once", "etcd")
IMAGES = ("localhost/web:latest", "quay.io/org/vol:latest", "quay.io/org/etcd:3.4", "quay.io/org/etcd:3.5")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("wbe", "web"),
        ("ewb", "web"),
        ("onec", "once"),
        ("etdc", "etcd"),
        ("wb", "web"),
        ("bew", ""),
        ("hello", ""),
    ],
)
def test_two_swapped_letters_are_one_slip(said: str, meant: str) -> None:
    """Also of a name of three, of which one is left in its place."""
    asked = f"did you mean {meant}?" if meant else "look"
    assert suggestion(said, CONTAINERS, otherwise="look") == asked


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("hello:latest", "look"),
        ("quay.io/org/hello:latest", "look"),
        ("wbe:latest", "did you mean localhost/web:latest?"),
        ("docker.io/web@sha256:00", "did you mean localhost/web:latest?"),
        ("quay.io/org/etdc:3.5", "did you mean quay.io/org/etcd:3.5 or quay.io/org/etcd:3.4?"),
        ("etcd:3", "did you mean quay.io/org/etcd:3.4 or quay.io/org/etcd:3.5?"),
        ("", "look"),
    ],
)
def test_images_are_alike_by_their_last_part(said: str, asked: str) -> None:
    """That they have a tag or a registry in common says nothing."""
    assert image_suggestion(said, IMAGES, otherwise="look") == asked
