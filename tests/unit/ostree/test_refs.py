import pytest
from hypothesis import given
from hypothesis import strategies as st

from os_containers.errors import BrokenError, UsageError
from os_containers.ostree import refs


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("docker.io/library/etcd:3.5", "docker.io_2Flibrary_2Fetcd_3A3.5"),
        ("a_8Fb", "a_5F8Fb"),
        ("é", "_C3_A9"),
        ("..", "_2E."),
        ("-x", "_2Dx"),
        ("a" * 64, "_61" + "a" * 63),
    ],
)
def test_names_are_encoded_as_the_go_tool_did_where_it_was_right(name: str, encoded: str) -> None:
    assert refs.encode_name(name) == encoded
    assert refs.decode_name(encoded) == name


@given(st.binary(min_size=1))
def test_b67_every_name_comes_back(data: bytes) -> None:
    name = data.decode(errors="surrogateescape")
    assert refs.decode_name(refs.encode_name(name)) == name


@given(st.text(min_size=1, alphabet="ab0./-"))
def test_no_image_looks_like_a_blob(name: str) -> None:
    assert not refs.is_blob_ref(f"{refs.IMAGES}/{refs.encode_name(name)}")


@pytest.mark.parametrize("encoded", ["", "_", "_8", "_GG", "a/b", "a b", "é"])
def test_what_we_cannot_have_written_is_refused(encoded: str) -> None:
    with pytest.raises(BrokenError):
        refs.decode_name(encoded)


@pytest.mark.parametrize("name", ["", "x" * 256, "/" * 100])
def test_b66_a_name_that_no_file_can_carry_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        refs.image_ref(name)


def test_a_pin_comes_back() -> None:
    assert refs.parse_pin(refs.pin_ref("container.0", 17)) == ("container.0", 17)


@pytest.mark.parametrize("ref", ["os-containers/deploy/x", "os-containers/deploy/x/y", "ociimage/x"])
def test_what_is_no_pin_is_refused(ref: str) -> None:
    with pytest.raises(BrokenError):
        refs.parse_pin(ref)
