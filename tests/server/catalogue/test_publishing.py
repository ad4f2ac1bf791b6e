"""The door for publications: what is taken, what is refused and why, and what nobody gets through it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from catalogue_site import bill, make_publisher, publication
from jeos.model import publication as publications
from jeos.model.publication import Publication
from jeos.server.accounts.models import Member, Token, Trust
from jeos.server.catalogue import publishers, publishing
from jeos.server.catalogue.models import Appliance, Bill, Package, Power, Signature, Version
from jeos.server.content.models import Case, Tagged
from server_site import signed_in

pytestmark = pytest.mark.django_db


def token_of(member: Member, **fields: object) -> str:
    """Return the text of a token that may write."""
    values: dict[str, object] = {"name": "ci", "writes": True, "expires": None, **fields}
    return Token.make(member, **values)[1]  # type: ignore[arg-type]


def send(one: Publication | bytes, token: str, *, client: Client | None = None) -> HttpResponse:
    """Send a publication as the command line does."""
    data = one if isinstance(one, bytes) else publications.dump(one)
    return (client or Client(enforce_csrf_checks=True)).post(  # type: ignore[return-value]
        "/catalogue/publish", data, content_type="application/json", headers={"authorization": f"Bearer {token}"}
    )


def said(answer: HttpResponse) -> Mapping[str, object]:
    """Return what an answer says."""
    found: Mapping[str, object] = json.loads(answer.content)
    return found


def test_version_is_published_once_and_again(ada: Member) -> None:
    make_publisher(ada)
    token = token_of(ada)
    answer = send(publication(), token)
    assert (answer.status_code, said(answer)) == (
        201,
        {"url": "http://testserver/catalogue/@acme/web/versions/1.0/", "version": "1.0", "new": True},
    )
    answer = send(publication(summary="A better proxy"), token)
    assert (answer.status_code, said(answer)["new"]) == (200, False)
    appliance, version = Appliance.objects.get(), Version.objects.get()
    assert (appliance.summary, appliance.newest, appliance.versions, appliance.tags) == (
        "A better proxy",
        "1.0",
        1,
        "web",
    )
    assert (version.packages, version.root_hash, version.disk_size) == (3, "a" * 64, 1 << 30)
    assert [(row.name, row.source, row.source_release) for row in Package.objects.order_by("name")] == [
        ("libssl3t64", "openssl", "3.5.1-1"),
        ("nginx", "nginx", "1.26.3-3"),
        ("openssl", "openssl", "3.5.1-1"),
    ]
    assert Bill.objects.count() == 1
    assert [row.tag.name for row in Tagged.objects.all()] == ["web"]
    assert Token.objects.get().used_on == timezone.now().date()


def test_other_content_under_a_known_version_is_refused(ada: Member) -> None:
    make_publisher(ada)
    token = token_of(ada)
    send(publication(), token)
    answer = send(publication(root_hash="f" * 64, summary="Mine now"), token)
    assert (answer.status_code, Appliance.objects.get().summary) == (409, "A proxy")
    assert "other content" in str(said(answer)["error"])


def test_older_version_changes_nothing_that_the_page_says(ada: Member) -> None:
    make_publisher(ada)
    token = token_of(ada)
    send(publication("1.10"), token)
    send(publication("1.9", summary="Old words", root_hash="9" * 64), token)
    appliance = Appliance.objects.get()
    assert (appliance.summary, appliance.newest, appliance.versions) == ("A proxy", "1.10", 2)


def test_publisher_is_the_only_one_or_named(ada: Member, bob: Member) -> None:
    token = token_of(ada)
    answer = send(publication(), token)
    assert (answer.status_code, said(answer)["error"]) == (400, "you do not publish for anybody yet")
    make_publisher(ada)
    make_publisher(ada, "zenith")
    answer = send(publication(), token)
    assert (answer.status_code, said(answer)["error"]) == (400, "you publish for acme, zenith")
    assert send(publication(publisher="zenith"), token).status_code == 201
    other = make_publisher(bob, "other")
    answer = send(publication(publisher="other"), token)
    assert (answer.status_code, said(answer)["error"]) == (400, "you do not publish for other")
    publishers.seat(other, ada, power=Power.MAINTAINER)
    assert send(publication(publisher="other"), token).status_code == 201
    publishers.set_hidden(other, True, actor=bob)
    assert send(publication("1.1", publisher="other"), token).status_code == 403


def test_token_must_hold_and_may_write(ada: Member) -> None:
    make_publisher(ada)
    past = timezone.now() - timedelta(days=1)
    for token, status in (
        ("", 401),
        ("jeos_nothing", 401),
        (token_of(ada, expires=past), 401),
        (token_of(ada, writes=False), 403),
    ):
        answer = send(publication(), token)
        assert (answer.status_code, "error" in said(answer)) == (status, True), token
    token = token_of(ada)
    Member.objects.filter(pk=ada.pk).update(silenced_until=timezone.now() + timedelta(days=1))
    assert send(publication(), token).status_code == 403
    Member.objects.filter(pk=ada.pk).update(silenced_until=None, is_active=False)
    assert send(publication(), token).status_code == 401
    assert Appliance.objects.count() == 0


def test_session_opens_nothing(ada: Member) -> None:
    make_publisher(ada)
    client = signed_in(ada)
    data = publications.dump(publication())
    for headers in ({}, {"authorization": "Basic YWRhOng="}, {"authorization": "Bearer"}):
        answer = client.post("/catalogue/publish", data, content_type="application/json", headers=headers)
        assert answer.status_code == 401
    assert Appliance.objects.count() == 0


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b"null",
        b'{"jeos-publication": 2}',
        b'{"jeos-publication": 1}',
        b'{"jeos-publication": 1, "name": "web", "version": "1.0", "architecture": "amd64", "date": 0, "more": 1}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_publication_is_refused(ada: Member, data: bytes) -> None:
    make_publisher(ada)
    answer = send(data, token_of(ada))
    assert (answer.status_code, "no publication" in str(said(answer)["error"])) == (400, True)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../x"},
        {"name": "Web"},
        {"version": "1/0"},
        {"version": ""},
        {"version": "1" * 65},
        {"architecture": "<b>"},
        {"title": "x" * 201},
        {"title": "a\nb"},
        {"title": "\ud800"},
        {"summary": "nul\x00"},
        {"description": "x" * 40_001},
        {"description": ["x"]},
        {"home_page": "javascript:alert(1)"},
        {"home_page": "https://user:secret@example.org/"},
        {"home_page": "https://example.org:port/"},
        {"channel": "file:///etc/passwd"},
        {"disk_size": -1},
        {"disk_size": 1 << 60},
        {"disk_size": True},
        {"date": 1.5},
        {"root_hash": "zz"},
        {"tags": ["a"] * 6},
        {"tags": [1]},
        {"tags": "web"},
        {"ports": [{"guest": 70_000}]},
        {"ports": [{"guest": 80, "protocol": "tcp<"}]},
        {"ports": [[1, 2]]},
        {"properties": [{"name": "x", "required": "yes"}]},
        {"properties": [{"name": "x", "choices": [{}]}]},
        {"properties": [{"name": "x", "minimum": 1e3}]},
        {"downloads": [{"format": "raw", "url": ""}]},
        {"downloads": [{"format": "raw", "url": "data:text/html,x"}]},
        {"downloads": [{"format": "raw", "url": "https://example.org/", "sha256": "x"}]},
        {"downloads": [{"format": "raw", "url": "https://example.org/"}] * 201},
        {"sbom": {"bomFormat": "SPDX"}},
        {"sbom": {"bomFormat": "CycloneDX", "components": {}}},
        {"sbom": {"bomFormat": "CycloneDX", "components": [{}] * 20_001}},
        {"sbom": "text"},
    ],
)
def test_value_that_makes_no_sense_is_refused(ada: Member, change: dict[str, object]) -> None:
    make_publisher(ada)
    values = {"jeos-publication": 1, **asdict(publication()), **change}
    answer = send(json.dumps(values).encode(), token_of(ada))
    assert answer.status_code == 400, said(answer)
    assert Appliance.objects.count() == 0


def test_strange_parts_of_a_bill_are_left_out(ada: Member) -> None:
    make_publisher(ada)
    strange: list[object] = [
        *(1, None, {}, {"purl": 5}, {"purl": "pkg:"}, {"purl": "pkg:deb/debian/x"}, {"purl": "pkg:deb/debian/@1"}),
        *({"purl": "pkg:deb/debian/a@%00"}, {"purl": f"pkg:deb/debian/a@{'1' * 300}"}, {"purl": "http://a@b"}),
        {"purl": "pkg:deb/debian/odd@1%3Ax%20y?upstream=%0a"},
        {"purl": "pkg:pypi/django@5.2"},
        {"purl": "pkg:deb/debian/good@1.0-1?upstream=source%402.0"},
        {"purl": "pkg:deb/debian/good@1.0-1?upstream=source%402.0"},
    ]
    document = {"bomFormat": "CycloneDX", "components": strange}
    assert send(publication(sbom=document), token_of(ada)).status_code == 201
    rows = Package.objects.order_by("name").values_list("name", "kind", "source", "source_release")
    assert list(rows) == [("django", "pypi", "", ""), ("good", "deb", "source", "2.0")]


def test_too_large_is_refused_before_it_is_read(ada: Member) -> None:
    make_publisher(ada)
    token = token_of(ada)
    answer = send(b"x" * (publications.MOST_BYTES + 1), token)
    assert answer.status_code == 413
    large = publication(sbom={**bill(), "metadata": "x" * (2 << 20)})  # more than a form may have
    assert send(large, token).status_code == 201


def test_too_often_is_refused(ada: Member) -> None:
    make_publisher(ada)
    token = token_of(ada)
    answers = [send(b"{", token) for _ in range(61)]
    assert [answer.status_code for answer in answers[-2:]] == [400, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_new_members_appliance_with_many_links_waits(ada: Member) -> None:
    Member.objects.filter(pk=ada.pk).update(trust=Trust.NEW)
    make_publisher(ada)
    links = " ".join(f"https://example.org/{number}" for number in range(4))
    assert send(publication(description=links), token_of(ada)).status_code == 201
    assert (Appliance.objects.get().hidden, Case.objects.count(), Tagged.objects.count()) == (True, 1, 0)
    assert send(publication("1.1", root_hash="b" * 64), token_of(ada)).status_code == 201
    assert (Appliance.objects.get().hidden, Tagged.objects.count()) == (True, 0)


def test_root_that_was_given_first_stays(ada: Member) -> None:
    publisher = make_publisher(ada)
    one = publication(channel="https://updates.example/web", root="first")
    publishing.publish(one, publisher=publisher, by=ada)
    publishing.publish(replace(one, root="second"), publisher=publisher, by=ada)
    appliance = Appliance.objects.get()
    assert (appliance.root, appliance.signature) == ("first", Signature.WAITING)
    moved = replace(one, channel="https://updates.example/other", root="third")
    publishing.publish(moved, publisher=publisher, by=ada)
    appliance.refresh_from_db()
    assert (appliance.channel, appliance.root) == ("https://updates.example/other", "first")


def test_names_are_the_publishers_own(ada: Member, bob: Member) -> None:
    make_publisher(ada)
    make_publisher(bob, "zenith")
    assert send(publication(), token_of(ada)).status_code == 201
    assert send(publication(root_hash="f" * 64), token_of(bob)).status_code == 201
    assert sorted(row.get_absolute_url() for row in Appliance.objects.select_related("publisher")) == [
        "/catalogue/@acme/web/",
        "/catalogue/@zenith/web/",
    ]
