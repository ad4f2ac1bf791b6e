import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.model.release import MOST_BYTES, Blob, Patch, Release, System, dump, load, patch_from

DIGEST = "ab" * 32
BLOB = Blob(sha256=DIGEST, length=5)
UUID = "c12a7328-f81f-41d2-8a4b-00a0c93ec93b"
SYSTEM = System(size=8192, uuid=UUID, label="web", time=17, hashes_size=8192, hashes_uuid=UUID, salt="00ff")
RELEASE = Release(
    name="web",
    version="1.1",
    architecture="amd64",
    date=1_700_000_000,
    root_hash="cd" * 32,
    system=SYSTEM,
    kernel=BLOB,
    index=Blob(sha256="12" * 32, length=77),
    packs=(BLOB,),
    patches=(Patch(root_hash="ef" * 32, version="1.0", blob=BLOB),),
    notes="Mends the cellar door.",
)


def test_release_round_trip() -> None:
    assert load(dump(RELEASE)) == RELEASE


def test_release_with_spaces_is_refused() -> None:
    with pytest.raises(InputError, match="canonical"):
        load(json.dumps(json.loads(dump(RELEASE))).encode())


def test_release_too_long_is_refused() -> None:
    with pytest.raises(InputError, match=f"more than {MOST_BYTES}"):
        dump(replace(RELEASE, notes="\u2603" * 2048))
    with pytest.raises(InputError, match=f"more than {MOST_BYTES}"):
        load(b" " * (MOST_BYTES + 1))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("root_hash",), "AB" * 32),
        (("version",), "../1"),
        (("name",), ""),
        (("date",), True),
        (("date",), -1),
        (("system", "size"), 4097),
        (("system", "size"), 1 << 60),
        (("system", "more"), 1),
        (("kernel", "length"), 1.5),
        (("packs",), {}),
        (("patches", 0, "blob"), None),
        (("notes",), 3),
        (("jeos-release",), 2),
    ],
)
def test_release_with_a_wrong_field_is_refused(path: tuple[str | int, ...], value: object) -> None:
    values = json.loads(dump(RELEASE))
    place = values
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    with pytest.raises(InputError):
        load(json.dumps(values, sort_keys=True, separators=(",", ":")).encode())


@settings(max_examples=100)
@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_load_of_anything_raises_only_input_error(data: bytes) -> None:
    with pytest.raises(InputError):
        load(data)


def test_patch_from_finds_the_base() -> None:
    assert patch_from(RELEASE, "ef" * 32) == RELEASE.patches[0]
    assert patch_from(RELEASE, "aa" * 32) is None
