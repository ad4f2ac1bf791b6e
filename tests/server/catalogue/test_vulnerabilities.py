"""Known vulnerabilities: imported from files, looked for in packages, shown with each version."""

import json
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from catalogue_site import bill, make_appliance
from hostile_texts import ATTACKS, assert_no_script
from jeos.core.errors import InputError
from jeos.server.accounts.models import Member
from jeos.server.catalogue import tasks, vulnerabilities
from jeos.server.catalogue.models import Finding, KnownVulnerability, Version
from server_site import count_queries

pytestmark = pytest.mark.django_db
PAGE = "/catalogue/@acme/web/versions/1.0/"


def entry(fixed: str = "", urgency: str = "low", release: str = "trixie", words: str = "") -> dict[str, object]:
    """Return what Debian's tracker says of one vulnerability; fixed nowhere without a version."""
    state = {"status": "resolved", "fixed_version": fixed} if fixed else {"status": "open"}
    return {"description": words, "releases": {release: {**state, "urgency": urgency}}}


TRACKER = {
    "openssl": {
        "CVE-2025-0001": entry("3.5.1-1+deb13u1", "high", words="Memory is read past its end."),
        "CVE-2025-0002": entry("3.5.0-1", "high"),
        "CVE-2025-0003": entry(urgency="not yet assigned"),
        "CVE-2025-0004": entry(urgency="high", release="bookworm"),
    },
    "nginx": {"CVE-2025-0005": entry(urgency="unimportant"), "CVE-2025-0006": entry("1.26.3-3", "medium")},
    "other": {"CVE-2025-0007": entry(urgency="high")},
}
OSV = {
    "id": "DSA-5900-1",
    "modified": "2025-10-01T00:00:00Z",
    "aliases": ["CVE-2025-0003"],
    "summary": "A key can be guessed.",
    "affected": [
        {
            "package": {"ecosystem": "Debian:13", "name": "openssl"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "3.0"}, {"fixed": "3.5.1-1+deb13u3"}]}],
            "ecosystem_specific": {"urgency": "medium"},
        }
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "osv").mkdir()
    (tmp_path / "tracker.json").write_text(json.dumps(TRACKER))
    (tmp_path / "osv/one.json").write_text(json.dumps(OSV))
    return tmp_path


def work() -> None:
    """Run what waits in the queue for versions."""
    tasks.match_all.call()
    for version in Version.objects.all():
        tasks.match_version.call(version.pk)


def found(version: str = "1.0") -> list[tuple[str, str, str]]:
    """Return what was found in a version, the most urgent first."""
    rows = Finding.objects.filter(version__version=version).order_by("-urgency", "-id")
    return [(row.identifier, row.source, row.fixed) for row in rows]


def test_what_affects_the_packages_is_found_once(ada: Member, folder: Path, people: dict[str, Client]) -> None:
    make_appliance(ada)
    work()
    assert Version.objects.get().matched is None  # nothing was imported: nobody knows
    done = vulnerabilities.load(folder)
    assert (done.files, done.advisories, done.sources, done.versions) == (2, 8, 3, 1)
    assert DBTaskResult.objects.filter(task_path__endswith="match_all").count() == 1
    work()
    assert found() == [
        ("CVE-2025-0001", "openssl", "3.5.1-1+deb13u1"),
        ("CVE-2025-0003", "openssl", "3.5.1-1+deb13u3"),  # as the more urgent of two advisories says
        ("CVE-2025-0005", "nginx", ""),
    ]
    version = Version.objects.get()
    assert version.findings == {"high": 1, "medium": 1, "unimportant": 1}
    page = people["visitor"].get(PAGE).content.decode()
    for words in (
        "1 high",
        "1 medium",
        "1 unimportant",
        "Memory is read past its end.",
        "3.5.1-1+deb13u3",
        "looked for",
    ):
        assert words in page, words
    assert "1 high" in people["visitor"].get("/catalogue/@acme/web/").content.decode()
    assert "1 high" in people["visitor"].get("/catalogue/@acme/web/versions/").content.decode()


def test_new_version_and_new_advisories_are_matched_anew(ada: Member, folder: Path) -> None:
    make_appliance(ada)
    vulnerabilities.load(folder)
    work()
    packages = {"openssl": "3.5.1-1+deb13u3", "nginx": "1.26.3-3+deb13u1"}
    make_appliance(ada, None, "1.1", root_hash="c" * 64, sbom=bill(packages))
    version = Version.objects.get(version="1.1")
    queued = DBTaskResult.objects.filter(task_path__endswith="match_version").order_by("enqueued_at").last()
    assert queued is not None
    assert queued.args_kwargs["args"] == [version.pk]
    tasks.match_version.call(version.pk)
    assert [identifier for identifier, _source, _fixed in found("1.1")] == ["CVE-2025-0005", "CVE-2025-0003"][::-1]
    (folder / "tracker.json").write_text(json.dumps({"nginx": {"CVE-2025-0009": entry(urgency="high")}}))
    vulnerabilities.load(folder / "tracker.json")  # of one format only: the other stays
    work()
    assert [identifier for identifier, _source, _fixed in found("1.1")] == ["CVE-2025-0009"]
    assert [identifier for identifier, _source, _fixed in found("1.0")] == ["CVE-2025-0009", "CVE-2025-0003"]


def test_bill_of_another_release_is_matched_with_its_own_advisories(ada: Member, folder: Path) -> None:
    make_appliance(ada, sbom=bill({"openssl": "3.0.15-1"}, distribution="debian-12"))
    vulnerabilities.load(folder)
    work()
    assert found() == [("CVE-2025-0004", "openssl", "")]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", "{", "is no JSON"),
        ("a.json", "[" * 100_000, "is no JSON"),
        ("a.json", "{}", "no advisories"),
        ("a.json", '{"openssl": {"CVE": 1}}', "no advisories"),
        ("a.txt", "{}", "there are no .json files"),
    ],
)
def test_file_that_makes_no_sense_changes_nothing(
    folder: Path, tmp_path: Path, name: str, content: str, says: str
) -> None:
    vulnerabilities.load(folder)
    before = KnownVulnerability.objects.count()
    other = tmp_path / "other"
    other.mkdir()
    if name == "a.json":
        (other / "good.json").write_text(json.dumps(OSV))
    (other / name).write_text(content)
    with pytest.raises(InputError, match=says):
        vulnerabilities.load(other)
    assert KnownVulnerability.objects.count() == before


def test_findings_are_paged_and_cost_the_same(ada: Member, folder: Path, people: dict[str, Client]) -> None:
    counts = []
    make_appliance(ada)
    for amount in (1, 120):
        entries = {f"CVE-2025-1{number:04}": entry(urgency="low") for number in range(amount)}
        (folder / "tracker.json").write_text(json.dumps({"openssl": entries}))
        vulnerabilities.load(folder / "tracker.json")
        work()
        counts.append(count_queries(people["visitor"], PAGE))
    assert counts[0] == counts[1]
    seen: set[str] = set()
    at = PAGE
    while at:
        page = people["visitor"].get(at).content.decode()
        rows = {part.partition('"')[0] for part in page.split("CVERecord?id=")[1:]}
        assert not rows & seen
        seen |= rows
        rest = page.partition('rel="next" href="')[2]
        at = f"{PAGE}{rest.partition(chr(34))[0]}" if rest else ""
    assert len(seen) == 120


def test_version_keeps_the_most_urgent_of_very_many(ada: Member, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_appliance(ada)
    vulnerabilities.load(folder)
    monkeypatch.setattr(vulnerabilities, "MOST", 1)
    vulnerabilities.match(Version.objects.get(), now=timezone.now())
    assert [identifier for identifier, _source, _fixed in found()] == ["CVE-2025-0001"]


@pytest.mark.parametrize("attack", ATTACKS[::6])
def test_no_advisory_brings_a_script_along(ada: Member, folder: Path, people: dict[str, Client], attack: str) -> None:
    make_appliance(ada)
    (folder / "tracker.json").write_text(json.dumps({"openssl": {"CVE-2025-0001": entry(words=attack)}}))
    vulnerabilities.load(folder)
    work()
    assert_no_script(people["visitor"].get(PAGE).content.decode())
