"""The lock as text: what is written is read again, and what is hostile is refused."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.model.lock import Lock, LockedPackage, Role
from jeos.model.lock_text import Change, Difference, difference, dump, parse

DBUS = LockedPackage(
    name="dbus",
    version="1.16.2-2",
    architecture="amd64",
    role=Role.BASE,
    repository="debian",
    path="pool/main/d/dbus/dbus_1.16.2-2_amd64.deb",
    size=71880,
    sha256="9c" * 32,
    source="dbus 1.16.2-2",
)
KERNEL = replace(DBUS, name="linux-image-6.12.1+deb13-cloud-amd64", role=Role.KERNEL, sha256="01" * 32)
LOCK = Lock(suite="trixie", architecture="amd64", inputs="ab" * 32, date=1_763_200_000, packages=(DBUS, KERNEL))

names = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,20}", fullmatch=True)
versions = st.from_regex(r"([0-9]:)?[0-9][A-Za-z0-9.+~]{0,10}(-[A-Za-z0-9.+~]{1,5})?", fullmatch=True)
packages = st.builds(
    LockedPackage,
    name=names,
    version=versions,
    architecture=st.sampled_from(["amd64", "all"]),
    role=st.sampled_from(list(Role)),
    repository=st.sampled_from(["debian", "debian-security", "vendor"]),
    path=st.builds(lambda name, version: f"pool/main/{name}/{name}_{version}.deb", names, versions),
    size=st.integers(0, 1 << 33),
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    source=st.one_of(st.just(""), st.builds(lambda name, version: f"{name} {version}", names, versions)),
)
locks = st.builds(
    lambda found: replace(LOCK, packages=tuple(sorted(found))),
    st.lists(packages, max_size=6, unique_by=lambda p: p.name),
)


def changed(**fields: object) -> str:
    """Return a lock's text in which the package has other fields."""
    value = json.loads(dump(replace(LOCK, packages=(DBUS,))))
    value["packages"][0].update(fields)
    return json.dumps(value)


@settings(max_examples=30)
@given(locks)
def test_lock_reads_back_what_it_wrote(lock: Lock) -> None:
    assert parse(dump(lock), source="x") == lock


@settings(max_examples=100)
@given(st.one_of(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps)))
def test_lock_of_any_text_is_refused_with_an_input_error(text: str) -> None:
    with pytest.raises(InputError):
        parse(text, source="x")


@settings(max_examples=100)
@given(
    st.sampled_from(sorted(LockedPackage.__slots__)),
    st.one_of(
        st.none(), st.booleans(), st.floats(), st.lists(st.integers()), st.text(max_size=8).map(lambda t: "/../" + t)
    ),
)
def test_package_with_a_wrong_field_is_refused(field: str, value: object) -> None:
    with pytest.raises(InputError):
        parse(changed(**{field: value}), source="x")


def test_lock_has_one_line_for_each_package() -> None:
    lines = dump(LOCK).splitlines()
    assert lines[0:2] == ["{", '  "format": 1,']
    assert lines[7] == (
        '    {"name": "dbus", "version": "1.16.2-2", "architecture": "amd64", "role": "base", "repository": "debian", '
        f'"path": "pool/main/d/dbus/dbus_1.16.2-2_amd64.deb", "size": 71880, "sha256": "{"9c" * 32}", '
        '"source": "dbus 1.16.2-2"},'
    )
    assert len(lines) == 11


def test_order_of_packages_does_not_matter() -> None:
    assert dump(replace(LOCK, packages=(KERNEL, DBUS))) == dump(LOCK)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("path", "../../etc/passwd"),
        ("path", "pool/../../x.deb"),
        ("path", "/etc/passwd"),
        ("path", "pool/./x.deb"),
        ("path", "pool//x.deb"),
        ("path", "https://evil.example/x.deb"),
        ("path", "pool/x.deb?y"),
        ("path", "pool/x\n.deb"),
        ("name", "../x"),
        ("name", "-o"),
        ("version", "1.0 --x"),
        ("sha256", "9C" * 32),
        ("sha256", "9c" * 32 + "\n"),
        ("role", "root"),
        ("repository", "a/b"),
        ("size", -1),
        ("size", True),
        ("size", 1 << 60),
    ],
)
def test_hostile_field_is_named(field: str, value: object) -> None:
    with pytest.raises(InputError) as caught:
        parse(changed(**{field: value}), source="appliance.lock")
    said = "has the role" if field == "role" else f"has a wrong {field}:"
    assert caught.value.message == f"appliance.lock, package 1 {said} {value!r}"
    assert caught.value.hint == "`jeos lock` writes it anew"


def test_other_format_is_named() -> None:
    with pytest.raises(InputError, match=r"appliance\.lock has the format 2, not 1"):
        parse(dump(LOCK).replace('"format": 1', '"format": 2'), source="appliance.lock")


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(InputError, match="is no lock"):
        parse("[" * 200_000, source="appliance.lock")


def test_difference_tells_what_came_went_and_changed() -> None:
    newer = replace(DBUS, version="1.16.2-3", sha256="9d" * 32)
    udev = replace(DBUS, name="udev")
    login = replace(DBUS, name="login")
    kernel = replace(KERNEL, name="linux-image-6.12.2+deb13-cloud-amd64", version="6.12.2-1")
    old, new = replace(LOCK, packages=(DBUS, udev, KERNEL)), replace(LOCK, packages=(newer, login, kernel))
    assert difference(old, new) == Difference(
        added=(login,), removed=(udev,), changed=(Change(old=DBUS, new=newer), Change(old=KERNEL, new=kernel))
    )
    assert not difference(old, old)
