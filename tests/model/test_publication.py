"""Publications and bills of materials: the same on both sides, whatever somebody sends."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.model import bill, publication
from jeos.model.bill import Part
from jeos.model.image import Port
from jeos.model.publication import Download, Publication
from jeos.model.recipe import Property

WHOLE = Publication(
    name="hello",
    version="1.0~rc1",
    architecture="amd64",
    date=1_790_000_000,
    publisher="acme",
    title="Hello",
    vendor="Example",
    summary="Says hello",
    description="It says\n*hello*.",
    licence="MIT",
    home_page="https://hello.example/",
    tags=("greeting",),
    changes="- first",
    channel="https://updates.example/hello",
    root='{"signed": {}}',
    ring="beta",
    root_hash="a" * 64,
    kernel_sha256="b" * 64,
    disk_size=1 << 31,
    ports=(Port(80, name="http"),),
    properties=(Property("mode", type="choice", choices=("a", "b"), default="a"),),
    downloads=(Download("qcow2", "https://files.example/hello.qcow2", 5, "c" * 64),),
    sbom={"bomFormat": "CycloneDX", "components": []},
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def test_publication_is_read_as_it_was_written() -> None:
    assert publication.load(publication.dump(WHOLE)) == WHOLE


@given(st.binary(max_size=200))
def test_any_bytes_are_a_publication_or_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        publication.load(data)


@given(st.sampled_from(sorted(Publication.__dataclass_fields__)), JSON)
def test_any_value_is_taken_or_refused(field: str, value: object) -> None:
    values = json.loads(publication.dump(WHOLE))
    values[field] = value
    data = json.dumps(values).encode()
    try:
        found = publication.load(data)
    except InputError:
        return
    assert publication.load(publication.dump(found)) == found


@given(st.dictionaries(st.sampled_from(["bomFormat", "components", "x"]), JSON | st.just("CycloneDX"), max_size=3))
def test_any_bill_is_read_or_refused(document: dict[str, object]) -> None:
    with contextlib.suppress(InputError):
        assert all(part.name and part.version for part in bill.parts(document))


@given(st.text(max_size=60))
def test_any_package_url_is_a_part_or_none(text: str) -> None:
    document = {"bomFormat": "CycloneDX", "components": [{"purl": f"pkg:{text}"}]}
    assert len(bill.parts(document)) <= 1


def test_source_of_a_package_is_its_own_or_the_one_that_is_named() -> None:
    urls = (
        "pkg:deb/debian/openssl@3.5.1-1?arch=amd64&distro=debian-13",
        "pkg:deb/debian/libssl3t64@3.5.1-1%2Bb1?arch=amd64&distro=debian-13&upstream=openssl@3.5.1-1",
        "pkg:deb/debian/libz@1:1.3?upstream=zlib",
        "pkg:pypi/django@5.2",
    )
    document = {"bomFormat": "CycloneDX", "components": [{"purl": url} for url in urls]}
    assert bill.parts(document) == [
        Part("django", "5.2", "pypi"),
        Part("libssl3t64", "3.5.1-1+b1", "deb", "debian-13", "openssl", "3.5.1-1"),
        Part("libz", "1:1.3", "deb", "", "zlib", "1:1.3"),
        Part("openssl", "3.5.1-1", "deb", "debian-13", "openssl", "3.5.1-1"),
    ]
