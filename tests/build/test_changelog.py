"""CVE numbers in changelogs: those of the entries between two versions, and no others."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apt_repository import Package
from jeos.build.changelog import cves, read

TEXT = """\
nginx (1.26.3-3+deb13u11) trixie-security; urgency=high

  * Fix CVE-2026-27654 and CVE-2026-1642, see CVE-2025-1.

 -- Somebody <somebody@mirror.example>  Mon, 02 Nov 2026 10:00:00 +0000

nginx (1.26.3-3+deb13u2) trixie; urgency=medium

  * Backport from nginx (1.0) of CVE-2025-53859; CVE-2025-23419.

 -- Somebody <somebody@mirror.example>  Sun, 01 Nov 2026 10:00:00 +0000

nginx (1.26.3-3) unstable; urgency=medium

  * CVE-2024-7347
"""


@pytest.mark.parametrize(
    ("since", "found"),
    [
        ("1.26.3-3+deb13u11", ()),
        ("1.26.3-3+deb13u2", ("CVE-2026-1642", "CVE-2026-27654")),
        ("1.26.3-3", ("CVE-2025-23419", "CVE-2025-53859", "CVE-2026-1642", "CVE-2026-27654")),
        ("1.26.3-3+b1", ("CVE-2025-23419", "CVE-2025-53859", "CVE-2026-1642", "CVE-2026-27654")),
    ],
)
def test_cves_are_those_of_newer_entries(since: str, found: tuple[str, ...]) -> None:
    assert cves(TEXT, since=since) == found


@settings(max_examples=50)
@given(st.text(), st.text(alphabet="0123456789.:-~+ab"))
def test_any_text_is_read(text: str, since: str) -> None:
    assert cves(text, since=since) == tuple(sorted(cves(text, since=since)))


def test_changelog_is_read_from_a_package(tmp_path: Path) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(Package("nginx", changelog=TEXT).deb())
    assert read(path, package="nginx") == TEXT
    assert read(path, package="nginx-common") == ""


def test_broken_package_has_no_changelog(tmp_path: Path) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(Package("nginx", changelog=TEXT).deb()[:700])
    assert read(path, package="nginx") == ""
