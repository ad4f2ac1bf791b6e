"""Metadata that somebody made to hurt: nothing but a TrustError may come of it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

from jeos.core.errors import TrustError
from jeos.trust.errors import FormatError
from jeos.trust.trusted import Trusted, parse
from vendor import NOW, Vendor

VENDOR = Vendor()
VENDOR.offer("releases/a_1.json", b"a", ring="stable")
VENDOR.next()
VENDOR.next_root()
KINDS: dict[str, tuple[str, type[Any]]] = {
    "root": ("metadata/2.root.json", Root),
    "timestamp": ("metadata/timestamp.json", Timestamp),
    "snapshot": ("metadata/2.snapshot.json", Snapshot),
    "targets": ("metadata/2.targets.json", Targets),
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


def steps(trusted: Trusted) -> dict[str, Callable[[bytes], object]]:
    return {
        "root": trusted.add_root,
        "timestamp": trusted.add_timestamp,
        "snapshot": trusted.add_snapshot,
        "targets": trusted.add_targets,
    }


def trusted_before(role: str) -> Trusted:
    trusted = Trusted(VENDOR.first_root, now=NOW)
    for name, step in steps(trusted).items():
        if name == role:
            break
        step(VENDOR.serve[KINDS[name][0]])
    return trusted


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        for key in value:
            found += places(value[key], (*path, key))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            found += places(inner, (*path, number))
    return found


@pytest.mark.parametrize("role", sorted(KINDS))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_value_in_any_place_is_refused(role: str, data: st.DataObject) -> None:
    name, kind = KINDS[role]
    value = json.loads(VENDOR.serve[name])
    place = data.draw(st.sampled_from(places(value)[1:]))
    inner = value
    for key in place[:-1]:
        inner = inner[key]
    old = inner[place[-1]]
    new = data.draw(JSON.filter(lambda found: json.dumps(found) != json.dumps(old)))
    inner[place[-1]] = new
    raw = json.dumps(value).encode()
    trusted = trusted_before(role)
    try:
        steps(trusted)[role](raw)
    except TrustError:
        return
    # What is still good must mean the same: an unknown field beside the signatures, which nobody reads.
    assert parse(raw, kind).signed == parse(VENDOR.serve[name], kind).signed


@pytest.mark.parametrize("role", sorted(KINDS))
@settings(max_examples=25, deadline=None)
@given(raw=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_refused(role: str, raw: bytes) -> None:
    with pytest.raises(TrustError):
        steps(trusted_before(role))[role](raw)


@pytest.mark.parametrize("role", sorted(KINDS))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_cut_and_damaged_files_are_refused(role: str, data: st.DataObject) -> None:
    raw = bytearray(VENDOR.serve[KINDS[role][0]])
    position = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(TrustError):
        steps(trusted_before(role))[role](bytes(raw[:position]))


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"signed": {"_type": "root", "version": ' + b"9" * 6000 + b"}}",
        b'{"signed": {"_type": "timestamp"}, "signatures": []}',
        b"\xff\xfe",
        b"",
        b"null",
        '{"signatures":[],"signed":"\ud800"}'.encode("utf-8", "surrogatepass"),
    ],
    ids=["lists", "objects", "number", "empty", "bytes", "nothing", "null", "surrogate"],
)
def test_parse_refuses_what_breaks_parsers(raw: bytes) -> None:
    with pytest.raises(FormatError):
        parse(raw, Root)
