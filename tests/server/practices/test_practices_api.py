"""Practices by the API: who writes, reviews, rates and renews them, and what comes of it."""

from typing import Any

import pytest

from jeos.server.accounts.models import Member, Trust
from jeos.server.content import limits
from jeos.server.content.models import Notification
from jeos.server.practices import proving, writing
from jeos.server.practices.models import PARTS, Practice, Rating, Review, State, Verdict
from server_program import Program, programs
from server_site import make_member

pytestmark = pytest.mark.django_db
IN = {"title": "Keep the data apart", "tags": ["disk"], **{part: f"Its *{part}*." for part in PARTS}}
RATING = {"stars": 4, "reason": "It saved us a night."}
REVIEW = {"verdict": "approve", "source": "We do it so."}


def draft(author: Member, title: str = "Keep the data apart") -> Practice:
    parts = {part: f"*{part}* of {title}" for part in PARTS}
    return writing.draft(writing.Wanted(title=title, parts=parts), author=author)


def submitted(author: Member, title: str = "Keep the data apart") -> Practice:
    practice = draft(author, title)
    writing.submit(practice)
    return practice


def proven(author: Member) -> Practice:
    practice = submitted(author, "Test the restore")
    for number in range(2):
        proving.review(practice, reviewer=make_member(f"peer-{number}"), verdict=Verdict.APPROVE, source="So.")
    return practice


@pytest.mark.parametrize(
    ("method", "path", "value", "expected"),
    [
        ("POST", "/practices", IN, [401, 401, 403, 201, 201, 201]),
        ("POST", "/practices", IN | {"evidence": ""}, [401, 401, 403, 422, 422, 422]),
        ("GET", "/practices/{draft}", None, [404, 404, 200, 404, 200, 200]),
        ("GET", "/me/practices", None, [401, 401, 200, 200, 200, 200]),
        ("PATCH", "/practices/{draft}", {"title": "Keep data apart"}, [401, 401, 403, 404, 200, 200]),
        ("PATCH", "/practices/{review}", {"title": "Keep data apart"}, [401, 401, 403, 403, 200, 200]),
        ("POST", "/practices/{draft}/submit", None, [401, 401, 403, 404, 200, 403]),
        ("POST", "/practices/{review}/submit", None, [401, 401, 403, 403, 403, 403]),
        ("PUT", "/practices/{review}/review", REVIEW, [401, 401, 403, 403, 403, 200]),
        ("PUT", "/practices/{proven}/review", REVIEW, [401, 401, 403, 403, 403, 403]),
        ("GET", "/practices/{draft}/reviews", None, [404, 404, 200, 404, 200, 200]),
        ("PUT", "/practices/{proven}/rating", RATING, [401, 401, 403, 200, 403, 200]),
        ("PUT", "/practices/{proven}/rating", RATING | {"stars": 6}, [401, 401, 403, 422, 422, 422]),
        ("PUT", "/practices/{proven}/rating", RATING | {"reason": "Good."}, [401, 401, 403, 422, 403, 422]),
        ("PUT", "/practices/{review}/rating", RATING, [401, 401, 403, 403, 403, 403]),
        ("POST", "/practices/{proven}/renew", None, [401, 401, 403, 403, 200, 200]),
        ("POST", "/practices/{review}/renew", None, [401, 401, 403, 403, 403, 403]),
    ],
)
def test_each_caller_may_do_what_the_pages_let_him(
    ada: Member, bob: Member, moderator: Member, method: str, path: str, value: Any, expected: list[int]
) -> None:
    numbers = {"draft": draft(ada).pk, "review": submitted(ada, "Keep it small").pk, "proven": proven(ada).pk}
    answers = [
        program.call(method, path.format(**numbers), value)[0]
        for program in programs(author=ada, other=bob, moderator=moderator).values()
    ]
    assert answers == expected


def test_practice_goes_from_a_draft_to_a_proven_one_by_programs_alone(ada: Member, settings: Any) -> None:
    settings.PRACTICE_APPROVALS = 2
    author = Program(ada)
    _status, made = author.call("POST", "/practices", IN | {"months": 24, "holds_for": "Debian 13"})
    number = made["number"]
    assert (made["state"], made["months"], made["holds_for"], made["tags"]) == ("draft", 24, "Debian 13", ["disk"])
    assert made["parts"][0] == {
        "name": "problem",
        "source": "Its *problem*.",
        "html": "<p>Its <em>problem</em>.</p>\n",
    }
    _status, changed = author.call("PATCH", f"/practices/{number}", {"evidence": "A year of it."})
    assert {part["name"]: part["source"] for part in changed["parts"]} == {
        **{part: f"Its *{part}*." for part in PARTS},
        "evidence": "A year of it.",
    }
    assert (changed["title"], changed["months"], changed["tags"]) == ("Keep the data apart", 24, ["disk"])
    assert author.call("POST", f"/practices/{number}/submit")[1]["state"] == "review"
    assert [one["number"] for one in Program().call("GET", "/practices?show=review")[1]["items"]] == [number]
    peers = [make_member(f"known-{place}") for place in range(2)]
    Member.objects.filter(pk__in=[one.pk for one in peers]).update(trust=Trust.KNOWN)
    states = [
        Program(Member.objects.get(pk=peer.pk)).call("PUT", f"/practices/{number}/review", REVIEW)[1]["state"]
        for peer in peers
    ]
    assert states == ["review", "proven"]
    _status, said = Program().call("GET", f"/practices/{number}/reviews")
    assert [(one["reviewer"]["handle"], one["verdict"]) for one in said["items"]] == [
        ("known-1", "approve"),
        ("known-0", "approve"),
    ]


def test_second_rating_replaces_the_first_and_both_pages_know_it(ada: Member, bob: Member) -> None:
    number, program = proven(ada).pk, Program(bob)
    for stars in (2, 5):
        status, shown = program.call("PUT", f"/practices/{number}/rating", RATING | {"stars": stars})
        assert (status, shown["ratings"], shown["average"]) == (200, 1, stars)
    _status, listed = Program().call("GET", f"/practices/{number}/ratings")
    assert [(one["author"]["handle"], one["stars"], one["reason"]) for one in listed["items"]] == [
        ("bob", 5, RATING["reason"])
    ]
    Rating.objects.update(hidden=True)
    assert Program().call("GET", f"/practices/{number}/ratings")[1]["items"] == []


def test_change_of_what_was_proven_asks_peers_anew(ada: Member) -> None:
    number = proven(ada).pk
    _status, shown = Program(ada).call("PATCH", f"/practices/{number}", {"problem": "Another one."})
    assert (shown["state"], shown["approvals"], shown["version"]) == ("review", 0, 2)


def test_limits_of_the_pages_hold_for_practices(ada: Member) -> None:
    program = Program(ada)
    statuses = [program.call("POST", "/practices", IN)[0] for _ in range(limits.LIMITS["practice"].times + 1)]
    assert statuses == [201] * limits.LIMITS["practice"].times + [429]


def test_renewing_counts_as_having_seen_what_was_told(ada: Member) -> None:
    practice = proven(ada)
    Practice.objects.update(state=State.EXPIRED)
    assert Notification.objects.filter(member=ada, seen=False).exists()
    assert Program(ada).call("POST", f"/practices/{practice.pk}/renew")[1]["state"] == "proven"
    assert not Notification.objects.filter(member=ada, seen=False).exists()
    assert Review.objects.count() == 2


def test_own_practices_are_listed_in_whatever_state_and_nobody_elses(ada: Member, bob: Member) -> None:
    numbers = [proven(ada).pk, submitted(ada).pk, draft(ada, "Not yet").pk]
    draft(bob)
    Practice.objects.filter(pk=numbers[1]).update(hidden=True)
    _status, listed = Program(ada).call("GET", "/me/practices")
    assert [(one["number"], one["state"]) for one in listed["items"]] == [
        (numbers[2], "draft"),
        (numbers[1], "review"),
        (numbers[0], "proven"),
    ]
    assert Program(bob).call("GET", "/me/practices")[1]["items"][0]["author"]["handle"] == "bob"
