"""The names of a channel's files, and how long caches may keep each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.channel import layout
from jeos.core.errors import InputError
from jeos.store.places.place import check_name

DIGEST = "ab" * 32
VERSIONS = st.from_regex(r"[0-9A-Za-z][0-9A-Za-z.^~+-]{0,63}", fullmatch=True)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,62}", fullmatch=True)


@pytest.mark.parametrize(
    ("name", "immutable"),
    [
        (f"data/ab/{DIGEST}", True),
        (f"data/ac/{DIGEST}", False),
        (f"data/ab/{DIGEST}0", False),
        ("metadata/1.root.json", True),
        ("metadata/12.targets.json", True),
        ("metadata/timestamp.json", False),
        ("metadata/0.root.json", False),
        ("metadata/1.timestamp.json", False),
        (f"targets/releases/{DIGEST}.hello_1.0.json", True),
        ("targets/releases/hello_1.0.json", False),
        ("hello_1.0.efi", True),
        ("hello_1.0_6b7f0c1e-0000-4000-8000-0000000abcde.root.xz", True),
        ("SHA256SUMS", False),
        ("SHA256SUMS.gpg", False),
        ("work/garbage.json", False),
        ("lock.json", False),
    ],
)
def test_only_names_that_never_change_are_kept_for_ever(name: str, immutable: bool) -> None:
    assert layout.is_immutable(name) is immutable
    wanted = "public, max-age=31536000, immutable" if immutable else "public, max-age=60"
    assert layout.cache_control(name) == wanted


@given(NAMES, VERSIONS)
def test_release_paths_can_be_read_again(name: str, version: str) -> None:
    path = layout.release_path(name, version)
    assert layout.release_of(path) == (name, version)
    assert check_name(layout.target_name(path, DIGEST)) == f"targets/releases/{DIGEST}.{name}_{version}.json"


@given(st.sampled_from(["root", "snapshot", "targets"]), st.integers(1, 10**9))
def test_metadata_names_can_be_read_again(role: str, version: int) -> None:
    assert layout.metadata_of(check_name(layout.metadata_name(role, version))) == (role, version)


def test_blob_names_can_be_read_again() -> None:
    assert layout.blob_of(check_name(layout.blob_name(DIGEST))) == DIGEST
    assert layout.blob_of(f"data/ac/{DIGEST}") is None


@given(st.text(max_size=40))
def test_names_that_pass_stay_inside(name: str) -> None:
    try:
        check_name(name)
    except InputError:
        return
    parts = name.split("/")
    assert all(part and not part.startswith(".") and "\0" not in part for part in parts)
