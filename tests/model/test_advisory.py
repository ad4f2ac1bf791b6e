"""Advisories: what Debian's tracker and the OSV format say, which versions they mean, how urgent they are."""

import json
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.model.advisory import Advisory, Urgency, cvss_base, is_affected, rating, read
from jeos.model.debian_version import newer

TRACKER = {
    "openssl": {
        "CVE-2025-0001": {
            "description": "Memory is\nread  past its end",
            "scope": "remote",
            "releases": {
                "trixie": {"status": "resolved", "fixed_version": "3.5.1-1+deb13u1", "urgency": "high**"},
                "bookworm": {"status": "open", "urgency": "not yet assigned"},
                "sid": {"status": "resolved", "fixed_version": "0", "urgency": "low"},
            },
        },
        "CVE-2025-0002": {"releases": {"trixie": {"status": "open", "urgency": "unimportant"}}},
        "TEMP-0000001-ABCDEF": {"releases": {"trixie": {"status": "undetermined", "urgency": "end-of-life"}}},
        "not an identifier!": {"releases": {"trixie": {"status": "open"}}},
        "CVE-2025-0003": {"releases": []},
        "CVE-2025-0004": 5,
    },
    "Odd Name": {"CVE-2025-0001": {"releases": {"trixie": {"status": "open"}}}},
    "bash": None,
}
OSV = {
    "id": "DEBIAN-CVE-2025-0005",
    "modified": "2025-10-01T00:00:00Z",
    "upstream": ["CVE-2025-0005"],
    "details": "A loop that never ends.",
    "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}],
    "affected": [
        {
            "package": {"ecosystem": "Debian:13", "name": "nginx"},
            "ranges": [
                {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.26.3-3+deb13u1"}]},
                {"type": "GIT", "events": [{"introduced": "abc"}]},
            ],
        },
        {
            "package": {"ecosystem": "Debian:12", "name": "nginx"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1.20"}, {"last_affected": "1.22.1-9"}]}],
            "ecosystem_specific": {"urgency": "low"},
        },
        {"package": {"ecosystem": "PyPI", "name": "nginx"}, "versions": ["1"]},
        {"package": {"ecosystem": "Debian:13", "name": "lego"}, "versions": ["4.22.2-1", "bad version"]},
    ],
}


def test_tracker_is_read_by_release() -> None:
    words = "Memory is read past its end"
    assert list(read(TRACKER)) == [
        Advisory("CVE-2025-0001", "debian-13", "openssl", "", "3.5.1-1+deb13u1", "", Urgency.HIGH, words),
        Advisory("CVE-2025-0001", "debian-12", "openssl", urgency=Urgency.UNKNOWN, summary=words),
        Advisory("CVE-2025-0002", "debian-13", "openssl", urgency=Urgency.UNIMPORTANT),
        Advisory("TEMP-0000001-ABCDEF", "debian-13", "openssl", urgency=Urgency.UNKNOWN),
    ]


def test_osv_is_read_by_range() -> None:
    words = "A loop that never ends."
    wanted = [
        Advisory("CVE-2025-0005", "debian-13", "nginx", "", "1.26.3-3+deb13u1", "", Urgency.HIGH, words),
        Advisory("CVE-2025-0005", "debian-12", "nginx", "1.20", "", "1.22.1-9", Urgency.LOW, words),
        Advisory("CVE-2025-0005", "debian-13", "lego", "4.22.2-1", "", "4.22.2-1", Urgency.HIGH, words),
    ]
    assert list(read(OSV)) == wanted
    assert list(read([OSV, {**OSV, "withdrawn": "2025-11-01T00:00:00Z"}, 5])) == wanted
    assert next(read({**OSV, "upstream": [], "aliases": ["CVE-1"]})).identifier == "DEBIAN-CVE-2025-0005"


@pytest.mark.parametrize("document", [None, 5, "text", {}, {"a": 1}, {"a": {"b": {}}}])
def test_what_is_no_advisory_is_refused(document: object) -> None:
    with pytest.raises(InputError, match="no advisories"):
        list(read(document))


@pytest.mark.parametrize(
    ("introduced", "fixed", "last", "version", "wanted"),
    [
        ("", "", "", "1", True),
        ("", "1.0-2", "", "1.0-1", True),
        ("", "1.0-2", "", "1.0-2", False),
        ("", "1.0-2", "", "1.0-2~deb13u1", True),
        ("", "3.5.1-1+deb13u1", "", "3.5.1-1", True),
        ("", "3.5.1-1+deb13u1", "", "3.5.1-1+deb13u2", False),
        ("", "2.0", "", "1:1.0", False),
        ("1.5", "2.0", "", "1.4", False),
        ("1.5", "2.0", "", "1.5", True),
        ("1.5", "", "1.7", "1.7", True),
        ("1.5", "", "1.7", "1.7+b1", False),
    ],
)
def test_affected_are_the_versions_between(introduced: str, fixed: str, last: str, version: str, wanted: bool) -> None:
    advisory = Advisory("CVE-2025-0001", "debian-13", "x", introduced, fixed, last)
    assert is_affected(advisory, version) is wanted


VERSIONS = st.from_regex(r"([0-9]:)?[0-9][0-9a-z.+~]{0,6}(-[0-9a-z.+~]{1,4})?", fullmatch=True)


@given(VERSIONS, VERSIONS)
def test_fix_is_before_or_after_as_dpkg_says(version: str, fixed: str) -> None:
    advisory = Advisory("CVE-2025-0001", "debian-13", "x", fixed=fixed)
    assert is_affected(advisory, version) == newer(fixed, version)


@pytest.mark.parametrize(
    ("version", "fixed"),
    [("1.0~rc1", "1.0"), ("1.0+b1", "1.0"), ("2:0.1", "1:9"), ("1.0-1a", "1.0-1"), ("1.09", "1.9")],
)
def test_order_is_that_of_dpkg(version: str, fixed: str) -> None:
    dpkg = subprocess.run(["dpkg", "--compare-versions", version, "lt", fixed], check=False).returncode == 0
    assert is_affected(Advisory("CVE-2025-0001", "debian-13", "x", fixed=fixed), version) is dpkg


@pytest.mark.parametrize(
    ("vector", "score", "urgency"),
    [
        # Examples of FIRST, "CVSS v3.1 Examples".
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4, Urgency.MEDIUM),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5, Urgency.HIGH),
        ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 8.8, Urgency.HIGH),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, Urgency.CRITICAL),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1, Urgency.LOW),
        ("CVSS:3.0/AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0, Urgency.UNIMPORTANT),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0, Urgency.CRITICAL),
    ],
)
def test_score_of_a_vector_is_that_of_its_authors(vector: str, score: float, urgency: Urgency) -> None:
    found = cvss_base(vector)
    assert found == score
    assert rating(score) is urgency


@pytest.mark.parametrize("vector", ["", "AV:N", "CVSS:2.0/AV:N", "CVSS:3.1/AV:N", "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U"])
def test_what_is_no_vector_has_no_score(vector: str) -> None:
    assert cvss_base(vector) is None


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=8) | st.sampled_from(["id", "affected", "Debian:13", "openssl"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["id", "affected", "package", "name", "ecosystem", "ranges", "events", "releases", "x"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_document_is_read_or_refused(document: object) -> None:
    try:
        found = list(read(document))
    except InputError:
        return
    assert all(json.dumps(one.summary).isascii() for one in found)
