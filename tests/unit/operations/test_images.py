"""The images in the store: listed, found by what people say, deleted, pruned."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from os_containers.errors import BrokenError, ConflictError, NotFoundError, RegistryError, UsageError
from os_containers.image.manifest import Digest
from os_containers.operations.choices import Choices
from os_containers.operations.find_image import stored_image, stored_images, stored_or_pulled_image
from os_containers.operations.image_use import Use
from os_containers.operations.images import WhenInUse, delete_images, list_images, tag_image
from os_containers.operations.install import install
from os_containers.operations.preview import plan_install, plan_update
from os_containers.operations.prune import plan_prune, prune
from os_containers.operations.uninstall import uninstall
from os_containers.operations.update import update
from os_containers.ostree.reachability import all_objects
from os_containers.ostree.refs import pin_ref
from os_containers.suggestions import image_suggestion, suggestion

if TYPE_CHECKING:
    from conftest import Machine

ETCD = "quay.io/org/etcd:3.5"
SHARED = {"/big": "x" * 1000}


def names(machine: "Machine") -> list[str]:
    return [one.image.name for one in list_images(machine.system)]


def test_an_image_is_listed_with_what_no_other_has(machine: "Machine") -> None:
    """Sizes are those of layers: `/version` and `/exports` are one each."""
    machine.store("1", name="example.org/a:1", exports={"manifest.json": "{}"})
    machine.store("1", name="example.org/b:1", exports={"manifest.json": "{} "})
    machine.store("1", name="example.org/c:1", exports={"manifest.json": "{} "})
    found = {one.image.name: (one.sizes.own, one.sizes.shared) for one in list_images(machine.system)}
    # two names of one image share nothing with another
    assert found == {name: (size, 1) for name, size in zip(found, (2, 3, 3), strict=True)}
    assert list(found) == ["example.org/a:1", "example.org/b:1", "example.org/c:1"]


def test_an_image_tells_who_was_made_of_it(machine: "Machine") -> None:
    """One that was replaced by a newer one has no name any more, and stays while one can return to it."""
    first = machine.store("1")
    assert [one.uses for one in list_images(machine.system)] == [()]
    install(machine.system, "example.org/app", Choices())
    second = machine.store("2")
    update(machine.system, "app", Choices())
    newer, former = list_images(machine.system)
    assert (newer.image.digest, newer.is_dangling) == (second.digest, False)
    assert newer.uses == (Use("app", 2, active=True),)
    assert (former.image.digest, former.image.name, former.is_dangling) == (first.digest, "", True)
    assert former.uses == (Use("app", 1, active=False),)


def test_an_image_is_found_by_the_beginning_of_its_id(machine: "Machine") -> None:
    """With or without what the digest begins with, and not by fewer than four characters."""
    image = machine.store("1", name=ETCD)
    repo = machine.system.repo()
    digest = image.digest
    for said in (digest, digest.hex, digest.hex[:4], f"sha256:{digest.hex[:12]}", ETCD):
        assert stored_image(repo, said).name == ETCD
    with pytest.raises(NotFoundError):
        stored_image(repo, image.digest.hex[:3])


def test_a_container_is_made_of_a_name_and_not_of_an_id(machine: "Machine") -> None:
    """An update asks for the name; nobody is asked for an image that is called as the id is."""
    image = machine.store("1", name=ETCD)
    said = image.digest.hex[:12]
    for act in (
        lambda: stored_or_pulled_image(machine.system, machine.system.repo(), said),
        lambda: plan_install(machine.system, said, Choices(), name="etcd"),
    ):
        with pytest.raises(UsageError, match="is the ID of an image, not a name") as caught:
            act()
        assert caught.value.hint == f"give its name: {ETCD}"


def test_an_id_that_is_not_enough_is_refused_with_what_it_may_mean(machine: "Machine") -> None:
    """A longer one says which."""
    image = machine.store("1", name=ETCD)
    beginning = image.digest.hex[:4]
    other = replace(image, name="", digest=Digest(f"sha256:{beginning}{'0' * 60}"))
    repo = machine.system.repo()
    with pytest.raises(UsageError, match=f"2 images have an ID that begins with {beginning}") as caught:
        stored_images(repo, beginning, nameless=[other])
    assert caught.value.hint == f"one of: {image.digest.hex[:12]} ({ETCD}), {beginning}00000000 (no name)"
    assert stored_images(repo, f"{beginning}00", nameless=[other]) == [other]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("etdc", ETCD),
        ("etcd:3.5", ETCD),
        ("quay.io/org/etcd", ETCD),
        ("quay.oi/org/etcd:3.5", ETCD),
        ("docker://quay.io/orgs/etcd:3.5", ETCD),
        ("nginx", None),
    ],
)
def test_a_mistyped_image_is_asked_for(machine: "Machine", said: str, meant: str | None) -> None:
    """By whichever part of its name was said."""
    machine.store("1", name=ETCD)
    with pytest.raises(NotFoundError) as caught:
        delete_images(machine.system, [said])
    asked = f"did you mean {meant}?" if meant else "os-containers images list shows what is there"
    assert caught.value.hint == asked


def test_a_name_that_is_taken_from_an_image_is_told(machine: "Machine") -> None:
    """With the containers whose next update goes over to the other one; the same image twice is no news."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    machine.store("2", name="example.org/other:1")
    tag_image(machine.system, "example.org/app", "example.org/app")
    assert not any("until now" in text for text in machine.told())
    tag_image(machine.system, "example.org/other:1", "example.org/app")
    lost = "example.org/app:latest was another image until now, and an update of app switches to the new one"
    assert lost in machine.told()


def test_an_image_that_no_registry_has_may_be_meant_for_one_in_the_store(machine: "Machine") -> None:
    """The registry here is none: nothing listens on that port."""
    machine.store("1", name="localhost:1/hello:1")
    with pytest.raises(RegistryError) as caught:
        stored_or_pulled_image(machine.system, machine.system.repo(), "localhost:1/helo:1")
    assert (caught.value.hint or "").endswith("; in the store: did you mean localhost:1/hello:1?")


def test_suggestions_are_few() -> None:
    """The most alike first."""
    known = ["app-1", "app-2", "app-3", "app-4", "other"]
    assert suggestion("app-1x", known, otherwise="") == "did you mean app-1, app-4 or app-3?"
    assert image_suggestion("x", known, otherwise="look") == "look"


def test_several_images_are_deleted_or_none(machine: "Machine") -> None:
    """By names and by ids; an id means all its names."""
    image = machine.store("1", name="example.org/a:1")
    tag_image(machine.system, "example.org/a:1", "example.org/b:1")
    machine.store("2", name=ETCD)
    with pytest.raises(NotFoundError):
        delete_images(machine.system, [ETCD, "example.org/nothing"])
    assert names(machine) == ["example.org/a:1", "example.org/b:1", ETCD]
    deleted = delete_images(machine.system, [ETCD, image.digest.hex[:12]])
    assert deleted == [ETCD, "example.org/a:1", "example.org/b:1"]
    assert names(machine) == []


def test_an_image_in_use_is_deleted_only_by_force(machine: "Machine") -> None:
    """Another name of it may go; the container goes on without, and can be removed."""
    image = machine.store("1")
    install(machine.system, "example.org/app", Choices())
    tag_image(machine.system, "example.org/app", "example.org/second:1")
    assert delete_images(machine.system, ["example.org/second:1"]) == ["example.org/second:1"]
    with pytest.raises(ConflictError, match="app:latest is in use by app") as caught:
        delete_images(machine.system, ["example.org/app"])
    assert "--force" in (caught.value.hint or "")
    tag_image(machine.system, "example.org/app", "example.org/third:1")
    with pytest.raises(ConflictError, match="app:latest is in use for updates of app"):
        delete_images(machine.system, ["example.org/app"])
    delete_images(machine.system, ["example.org/app"], WhenInUse.DELETE)
    with pytest.raises(NotFoundError) as missing:
        update(machine.system, "app", Choices())
    assert (missing.value.hint or "").startswith("update --pull fetches it again")
    assert update(machine.system, "app", Choices({"UUID": "b"})).changed
    assert "app:latest in the store: app keeps the one that it has" in " ".join(machine.told())
    assert not plan_update(machine.system, "app", Choices({"UUID": "b"})).changes
    delete_images(machine.system, ["example.org/third:1"], WhenInUse.DELETE)
    prune(machine.system)
    assert machine.version() == "1"
    with pytest.raises(ConflictError, match="has no name any more, but is in use by app"):
        delete_images(machine.system, [image.digest.hex[:12]])
    tag_image(machine.system, image.digest.hex[:12], "example.org/again:1")
    assert names(machine) == ["example.org/again:1"]
    uninstall(machine.system, "app")


def test_prune_tells_beforehand_just_what_it_does(machine: "Machine") -> None:
    """The images, their layers, and how many objects of how many bytes; a plan changes nothing."""
    machine.store("1", more=SHARED, name="example.org/stays:1")
    gone = machine.store("2", exports={"manifest.json": "{}"}, name="example.org/gone:1")
    machine.store("3")
    install(machine.system, "example.org/app", Choices())
    delete_images(machine.system, ["example.org/gone:1"])
    before = all_objects(machine.paths.repo)
    (machine.paths.staging / "killed").mkdir(parents=True)
    plan = plan_prune(machine.system)
    assert plan.leftovers == (machine.paths.staging / "killed",)
    assert all_objects(machine.paths.repo) == before
    done = prune(machine.system)
    assert done == plan.pruned
    assert (done.images, len(done.layers), len(done.refs)) == ((gone.digest,), 2, 3)
    assert len(before) - len(all_objects(machine.paths.repo)) == done.objects
    nothing = plan_prune(machine.system)
    assert (nothing.pruned.objects, nothing.pruned.images, nothing.leftovers) == (0, (), ())


def test_prune_tells_beforehand_also_when_a_pin_of_nothing_is_damaged(machine: "Machine") -> None:
    """Such a pin goes without a look at what it names; one of a deployment that is there stops both."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    heads = machine.paths.repo / "refs/heads"
    for serial, text in ((7, "garbage"), (8, "f" * 64), (9, None)):
        pin = heads / pin_ref("gone", serial)
        pin.parent.mkdir(parents=True, exist_ok=True)
        pin.write_text(text) if text else pin.mkdir()
    assert plan_prune(machine.system).pruned == prune(machine.system)
    assert machine.system.repo().pins.of("gone") == []
    (heads / pin_ref("app", 1)).write_text("garbage")
    for act in (plan_prune, prune):
        with pytest.raises(BrokenError, match="app/1 is damaged"):
            act(machine.system)
