"""The catalogue by the API: what programs find, read, star and review, and what they may not."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.utils import timezone

from catalogue_site import make_appliance, make_publisher
from jeos.model.advisory import Urgency
from jeos.server.accounts.models import Member
from jeos.server.catalogue import publishers, publishing, reviewing, vulnerabilities
from jeos.server.catalogue.models import Appliance, KnownVulnerability, Review, Verdict, Verified, Version
from jeos.server.content import limits
from server_program import Program, programs

pytestmark = pytest.mark.django_db
WEB = "/appliances/acme/web"
SAID = {"runs": "1.0", "verdict": "mixed", "source": "It *runs*."}


def names(answer: tuple[int, Any]) -> list[str]:
    """Return the names of the appliances in a list."""
    status, listed = answer
    assert status == 200
    return [one["name"] for one in listed["items"]]


@pytest.mark.parametrize(
    ("method", "path", "value", "expected"),
    [
        ("GET", "/appliances", None, [200] * 6),
        ("GET", WEB, None, [200] * 6),
        ("GET", f"{WEB}/versions", None, [200] * 6),
        ("GET", f"{WEB}/versions/1.0", None, [200] * 6),
        ("GET", f"{WEB}/versions/9.9", None, [404] * 6),
        ("GET", f"{WEB}/versions/1.0/packages", None, [200] * 6),
        ("GET", f"{WEB}/versions/1.0/vulnerabilities", None, [200] * 6),
        ("GET", f"{WEB}/reviews", None, [200] * 6),
        ("GET", "/publishers/acme", None, [200] * 6),
        ("GET", "/publishers/nobody", None, [404] * 6),
        ("GET", "/appliances/acme/secret", None, [404, 404, 200, 404, 200, 200]),
        ("GET", "/appliances/acme/secret/versions", None, [404, 404, 200, 404, 200, 200]),
        ("GET", "/appliances/acme/secret/versions/1.0/packages", None, [404, 404, 200, 404, 200, 200]),
        ("PUT", f"{WEB}/star", None, [401, 401, 403, 200, 200, 200]),
        ("DELETE", f"{WEB}/star", None, [401, 401, 403, 200, 200, 200]),
        ("PUT", "/appliances/acme/secret/star", None, [401, 401, 403, 404, 403, 403]),
        ("PUT", f"{WEB}/review", SAID, [401, 401, 403, 200, 403, 200]),
        ("PUT", f"{WEB}/review", SAID | {"runs": "9.9"}, [401, 401, 403, 422, 403, 422]),
        ("PATCH", f"{WEB}/versions/1.0", {"withdrawn": True}, [401, 401, 403, 403, 200, 403]),
    ],
)
def test_each_caller_may_do_what_the_pages_let_him(
    ada: Member,
    bob: Member,
    moderator: Member,
    method: str,
    path: str,
    value: Mapping[str, object] | None,
    expected: list[int],
) -> None:
    make_appliance(ada)
    publishing.set_hidden(make_appliance(ada, None, "1.0", name="secret").pk, True)
    callers = programs(author=ada, other=bob, moderator=moderator).values()
    assert [program.call(method, path, value)[0] for program in callers] == expected


def test_list_is_narrowed_ordered_and_searched(ada: Member, bob: Member) -> None:
    make_appliance(ada, None, "1.0")
    make_appliance(ada, None, "1.0", name="relay", title="Relay", licence="Apache-2.0", tags=("health",), summary="x")
    other = make_publisher(bob, "zenith")
    make_appliance(bob, other, "1.0", name="clock", title="Clock", architecture="arm64", tags=("web",), summary="Time")
    publishers.vouch(other, Verified.TEAM, actor=None)
    reviewing.star(Appliance.objects.get(name="relay"), ada, wanted=True)
    program = Program()
    assert names(program.call("GET", "/appliances")) == ["clock", "relay", "web"]
    assert names(program.call("GET", "/appliances?order=starred"))[0] == "relay"
    for query, expected in (
        ("tag=web", ["clock", "web"]),
        ("licence=Apache-2.0", ["relay"]),
        ("architecture=arm64", ["clock"]),
        ("publisher=acme", ["relay", "web"]),
        ("verified=true", ["clock"]),
        ("tag=web&publisher=acme", ["web"]),
        ("q=front", ["web"]),
        ("q=front&publisher=zenith", []),
        ("q=-front", []),
    ):
        assert names(program.call("GET", f"/appliances?{query}")) == expected, query
    assert program.call("GET", "/appliances?order=best")[0] == 422
    assert program.call("GET", "/appliances?after=nonsense")[0] == 422
    publishing.set_hidden(Appliance.objects.get(name="web").pk, True)
    assert names(Program(ada).call("GET", "/appliances")) == ["clock", "relay"]
    assert names(Program(ada).call("GET", "/appliances?q=front")) == []


def test_list_goes_on_where_its_page_ends(ada: Member) -> None:
    first = make_appliance(ada)
    for number in range(35):
        first.pk, first.name = None, f"copy-{number}"
        first.save(force_insert=True)
    program = Program()
    _status, page = program.call("GET", "/appliances")
    _status, rest = program.call("GET", page["next"].removeprefix("http://testserver/api/v1"))
    assert (len(page["items"]), len(rest["items"]), rest["next"]) == (30, 6, None)
    assert len({one["name"] for one in page["items"] + rest["items"]}) == 36


def test_appliance_says_what_its_page_says(ada: Member) -> None:
    found = make_appliance(ada)
    status, said = Program().call("GET", WEB)
    assert status == 200
    assert {name: said[name] for name in ("title", "source", "html", "licence", "memory", "signature", "newest")} == {
        "title": "Web front",
        "source": "It *proxies*.",
        "html": "<p>It <em>proxies</em>.</p>\n",
        "licence": "MIT",
        "memory": 512,
        "signature": "none",
        "newest": "1.0",
    }
    assert said["ports"] == [{"guest": 80, "protocol": "tcp", "name": "http"}]
    assert [(one["name"], one["required"]) for one in said["properties"]] == [("domain", True)]
    assert said["url"] == "http://testserver/catalogue/@acme/web/"
    _status, kept = Program().call("GET", "/tags/web/content?kind=appliance")
    assert [one["number"] for one in kept["items"]] == [said["number"]] == [found.pk]
    _status, who = Program().call("GET", "/publishers/acme")
    assert (who["title"], who["verified"], [one["handle"] for one in who["members"]]) == ("Acme", "", ["ada"])


def test_version_says_what_is_in_it(ada: Member) -> None:
    found = make_appliance(ada, None, "1.0", "1.1")
    KnownVulnerability.objects.create(
        origin="tests", identifier="CVE-2099-1", distribution="debian-13", source="openssl", urgency=Urgency.HIGH
    )
    vulnerabilities.match(Version.objects.get(version="1.0"), now=timezone.now())
    program = Program()
    _status, listed = program.call("GET", f"{WEB}/versions")
    assert [one["version"] for one in listed["items"]] == ["1.1", "1.0"]
    _status, said = program.call("GET", f"{WEB}/versions/1.0")
    assert (said["html"], said["vulnerabilities"], said["packages"]) == (
        "<ul>\n<li><strong>new</strong></li>\n</ul>\n",
        {"high": 1},
        3,
    )
    assert said["run"].splitlines()[-1] == "jeos run web_1.0.qcow2 --memory 512M --port 8080:80"
    assert said["downloads"][0]["sha256"] == "b" * 64
    assert said["url"] == f"http://testserver{found.get_absolute_url()}versions/1.0/"
    assert program.browser.get(said["sbom"].removeprefix("http://testserver")).json()["bomFormat"] == "CycloneDX"
    _status, packages = program.call("GET", f"{WEB}/versions/1.0/packages")
    assert [(one["name"], one["source"]) for one in packages["items"]] == [
        ("libssl3t64", "openssl"),
        ("nginx", "nginx"),
        ("openssl", "openssl"),
    ]
    _status, known = program.call("GET", f"{WEB}/versions/1.0/vulnerabilities")
    assert known["items"] == [
        {
            "identifier": "CVE-2099-1",
            "source": "openssl",
            "version": "3.5.1-1",
            "fixed": "",
            "urgency": "high",
            "summary": "",
        }
    ]


def test_star_counts_once_and_goes(ada: Member, bob: Member) -> None:
    make_appliance(ada)
    program = Program(bob)
    for method, stars, starred in (("PUT", 1, True), ("PUT", 1, True), ("DELETE", 0, False), ("DELETE", 0, False)):
        status, said = program.call(method, f"{WEB}/star")
        assert (status, said["stars"], said["starred"]) == (200, stars, starred)
    program.call("PUT", f"{WEB}/star")
    assert program.call("GET", "/appliances")[1]["items"][0]["starred"] is True
    assert Program(ada).call("GET", "/appliances")[1]["items"][0]["starred"] is False


def test_review_is_written_changed_and_hidden(ada: Member, bob: Member) -> None:
    make_appliance(ada)
    program = Program(bob)
    status, said = program.call("PUT", f"{WEB}/review", SAID)
    assert (status, said["verdict"], said["html"], said["edited"]) == (200, "mixed", "<p>It <em>runs</em>.</p>\n", None)
    _status, again = program.call("PUT", f"{WEB}/review", SAID | {"verdict": "good", "source": "It runs well."})
    assert (again["number"], again["verdict"], again["edited"] is not None) == (said["number"], "good", True)
    assert Review.objects.get().verdict == Verdict.GOOD
    assert Program().call("GET", f"{WEB}/reviews")[1]["items"] == [again]
    reviewing.set_hidden(said["number"], True)
    assert Program().call("GET", f"{WEB}/reviews")[1]["items"] == []
    assert [one["hidden"] for one in program.call("GET", f"{WEB}/reviews")[1]["items"]] == [True]
    for wrong in ({"verdict": "best"}, {"source": ""}, {"more": 1}):
        assert program.call("PUT", f"{WEB}/review", {**SAID, **wrong})[0] == 422


def test_limits_of_the_pages_hold_for_programs(ada: Member, bob: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    make_appliance(ada)
    for action in ("review", "search", "vote"):
        monkeypatch.setitem(limits.LIMITS, action, limits.Limit(0, limits.HOUR))
    program = Program(bob)
    assert [program.call("PUT", f"{WEB}/{what}", value)[0] for what, value in (("review", SAID), ("star", None))] == [
        429,
        429,
    ]
    assert [Program().call("GET", f"/appliances{query}")[0] for query in ("?q=front", "")] == [429, 200]


def test_version_of_a_channel_is_withdrawn_there(ada: Member) -> None:
    make_appliance(ada, None, "1.0", "1.1")
    program = Program(ada)
    status, said = program.call("PATCH", f"{WEB}/versions/1.1", {"withdrawn": True})
    assert (status, said["withdrawn"], Appliance.objects.get().newest) == (200, True, "1.0")
    Version.objects.update(signed=True)
    assert program.call("PATCH", f"{WEB}/versions/1.1", {"withdrawn": False})[0] == 409
    assert program.call("PATCH", f"{WEB}/versions/1.1", {"withdrawn": 1})[0] == 422


def test_hidden_publisher_is_for_its_own(ada: Member, bob: Member, moderator: Member) -> None:
    appliance = make_appliance(ada)
    publishers.set_hidden(appliance.publisher, True, actor=moderator)
    for path in ("/publishers/acme", WEB):
        assert [Program(who).call("GET", path)[0] for who in (None, bob, ada, moderator)] == [404, 404, 200, 200]
