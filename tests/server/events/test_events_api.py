"""Events by the API: what programs read, submit, choose, rate and wish for, and what they may not."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from jeos.server.content import limits
from jeos.server.content.models import Revision
from jeos.server.events import attending, scheduling, submitting, topics
from jeos.server.events.models import Event, Rating, Session, State
from server_events import CROWD, Crowd, accept, make_event, on_schedule, submit
from server_program import Program

pytestmark = pytest.mark.django_db
IN = {"title": "Images without a distribution", "source": "They are *small*.", "tags": ["images"]}
PAST = datetime(2024, 5, 9, tzinfo=UTC)


def programs(crowd: Crowd) -> list[Program]:
    """Return a program for each role, in the order of CROWD."""
    return [Program(crowd.members.get(role)) for role in CROWD]


def titles(answer: tuple[int, Any]) -> list[str]:
    """Return the titles in a list."""
    status, listed = answer
    assert status == 200
    return [one["title"] for one in listed["items"]]


@pytest.mark.parametrize(
    ("method", "path", "value", "expected"),
    [
        ("GET", "/events", None, [200] * 6),
        ("GET", "/events/days", None, [200] * 6),
        ("GET", "/events/secret", None, [404, 404, 404, 200, 200, 200]),
        ("GET", "/events/secret/sessions", None, [404, 404, 404, 200, 200, 200]),
        ("GET", "/events/secret/topics", None, [404, 404, 404, 200, 200, 200]),
        ("GET", "/events/days/schedule", None, [200] * 6),
        ("GET", "/events/days/agenda", None, [401, 200, 200, 200, 200, 200]),
        ("GET", "/events/days/sessions/{shown}", None, [200] * 6),
        ("GET", "/events/days/sessions/{submitted}", None, [404, 404, 200, 200, 200, 200]),
        ("GET", "/events/secret/sessions/{shown}", None, [404] * 6),
        ("POST", "/events/days/sessions", IN, [401, 422, 422, 422, 422, 422]),  # which type?
        ("POST", "/events/days/sessions", IN | {"type": "{type}"}, [401, 201, 201, 201, 201, 201]),
        ("POST", "/events/closed/sessions", IN, [401, 403, 403, 403, 403, 403]),
        ("PATCH", "/events/days/sessions/{submitted}", {"title": "Another"}, [401, 404, 200, 403, 200, 200]),
        ("POST", "/events/days/sessions/{accepted}/confirm", None, [401, 404, 200, 403, 403, 403]),
        ("POST", "/events/days/sessions/{submitted}/withdraw", None, [401, 404, 200, 403, 403, 403]),
        ("PUT", "/events/days/sessions/{shown}/choice", None, [401, 200, 200, 200, 200, 200]),
        ("PUT", "/events/days/sessions/{submitted}/choice", None, [401, 404, 403, 403, 403, 403]),
        ("DELETE", "/events/days/sessions/{shown}/choice", None, [401, 200, 200, 200, 200, 200]),
        ("GET", "/events/days/sessions/{shown}/ratings", None, [200] * 6),
        ("PUT", "/events/days/sessions/{shown}/rating", {"stars": 4}, [401, 403, 403, 403, 403, 403]),
        ("PUT", "/events/days/sessions/{over}/rating", {"stars": 4}, [401, 200, 403, 200, 200, 200]),
        ("PUT", "/events/days/sessions/{over}/rating", {"stars": 6}, [401, 422, 422, 422, 422, 422]),
        ("POST", "/events/days/topics", {"title": "Booting from tape"}, [401, 201, 201, 201, 201, 201]),
        ("PUT", "/events/days/topics/{topic}/vote", None, [401, 200, 200, 200, 200, 200]),
        ("DELETE", "/events/days/topics/{topic}/vote", None, [401, 200, 200, 200, 200, 200]),
        ("PUT", "/events/days/topics/{gone}/vote", None, [401, 404, 404, 404, 404, 404]),
    ],
)
def test_each_caller_may_do_what_the_pages_let_him(
    crowd: Crowd,
    event: Event,
    method: str,
    path: str,
    value: Mapping[str, object] | None,
    expected: list[int],
) -> None:
    speaker, organiser = crowd.members["speaker"], crowd.members["organiser"]
    make_event(crowd, slug="secret", name="Not yet", published=False)
    make_event(crowd, slug="closed", name="No call", call_opens=None)
    numbers = {
        "shown": on_schedule(event, crowd).pk,
        "over": on_schedule(event, crowd, "What was").pk,
        "submitted": submit(event, speaker, "Only submitted").pk,
        "accepted": submit(event, speaker, "Accepted now").pk,
        "topic": topics.suggest(event, author=speaker, title="Booting from tape").pk,
        "gone": topics.suggest(event, author=speaker, title="Buy my ink").pk,
        "type": event.types.get(name="Talk").pk,
    }
    submitting.decide(Session.objects.get(pk=numbers["accepted"]), State.ACCEPTED, actor=organiser)
    Session.objects.filter(pk=numbers["over"]).update(public_begins=PAST)
    topics.set_hidden(numbers["gone"], True)
    if value is not None and "type" in value:
        value = {**value, "type": numbers["type"]}
    answers = [program.call(method, path.format(**numbers), value)[0] for program in programs(crowd)]
    assert answers == expected


def test_events_to_come_and_over(crowd: Crowd, event: Event) -> None:
    day = datetime(2020, 1, 1, tzinfo=UTC).date()
    make_event(crowd, slug="old", name="Long ago", begins=day, ends=day)
    make_event(crowd, slug="secret", name="Not yet", published=False)
    program = Program(crowd.members["organiser"])
    for show, expected in (("coming", ["days"]), ("past", ["old"])):
        _status, listed = program.call("GET", f"/events?show={show}")
        assert [one["slug"] for one in listed["items"]] == expected
    assert program.call("GET", "/events?show=all")[0] == 422


def test_event_says_what_it_is_made_of(crowd: Crowd, event: Event) -> None:
    _status, said = Program().call("GET", "/events/days")
    assert (said["html"], said["zone"], said["begins"], said["ends"]) == (
        "<p>What it <em>is</em>.</p>\n",
        "Europe/Berlin",
        "2030-05-09",
        "2030-05-10",
    )
    assert [one["name"] for one in said["tracks"]] == ["Building"]
    assert [(one["name"], one["minutes"]) for one in said["types"]] == [("Talk", 30), ("Workshop", 90)]
    assert [(one["name"], one["capacity"]) for one in said["rooms"]] == [("Hall", 50), ("Cellar", 50)]
    assert (said["call"]["open"], said["version"], said["released"]) == (True, 0, None)
    answer = Program().browser.get(said["calendar"].removeprefix("http://testserver"))
    assert answer["Content-Type"] == "text/calendar; charset=utf-8"


def test_session_goes_from_the_call_to_the_agenda(crowd: Crowd, event: Event) -> None:
    speaker, organiser = Program(crowd.members["speaker"]), crowd.members["organiser"]
    kind, track = event.types.get(name="Workshop"), event.tracks.get()
    more = {"type": kind.pk, "track": track.pk, "speakers": ["moderator"], "note": "I need a table."}
    status, made = speaker.call("POST", "/events/days/sessions", {**IN, **more})
    assert (status, made["state"], made["note"], made["minutes"]) == (201, "submitted", "I need a table.", 90)
    assert (made["type"], made["track"], made["begins"]) == ("Workshop", "Building", None)
    assert [one["handle"] for one in made["speakers"]] == ["speaker"]  # the other was asked
    where = f"/events/days/sessions/{made['number']}"
    status, changed = speaker.call("PATCH", where, {"title": "Images from nothing", "track": None, "reason": "shorter"})
    assert (status, changed["title"], changed["track"], changed["type"]) == (200, "Images from nothing", "", "Workshop")
    assert (changed["source"], changed["tags"], changed["note"]) == (IN["source"], ["images"], "I need a table.")
    assert Revision.objects.latest("pk").reason == "shorter"
    session = Session.objects.get(pk=made["number"])
    submitting.decide(session, State.ACCEPTED, actor=organiser)
    assert speaker.call("POST", f"{where}/confirm")[1]["state"] == "confirmed"
    assert speaker.call("POST", f"{where}/confirm")[0] == 403
    fixed = speaker.call("PATCH", where, {"type": event.types.get(name="Talk").pk, "track": track.pk})[1]
    assert (fixed["type"], fixed["track"]) == ("Workshop", "")
    scheduling.place(session, room=event.rooms.get(name="Hall"), begins=datetime(2030, 5, 9, 7, tzinfo=UTC), minutes=90)
    scheduling.release(event, by=organiser)
    member = Program(crowd.members["member"])
    _status, listed = member.call("GET", "/events/days/schedule")
    shown = listed["items"][0]
    assert (shown["begins"], shown["room"], shown["minutes"]) == ("2030-05-09T07:00:00Z", "Hall", 90)
    _status, chosen = member.call("PUT", f"{where}/choice")
    assert (chosen["choices"], chosen["chosen"], chosen["state"], chosen["note"]) == (1, True, None, None)
    assert member.call("PUT", f"{where}/choice")[1]["choices"] == 1
    assert titles(member.call("GET", "/events/days/agenda")) == ["Images from nothing"]
    assert titles(speaker.call("GET", "/events/days/agenda")) == []
    assert speaker.call("POST", f"{where}/withdraw")[1]["cancelled"] is True
    assert speaker.call("POST", f"{where}/withdraw")[0] == 403


def test_sessions_are_listed_by_title_and_track(crowd: Crowd, event: Event) -> None:
    for number, title in enumerate(("Verity", "Assembling", "Rollback")):
        session = submit(event, crowd.members["speaker"], title, track=event.tracks.get() if number else None)
        accept(session, by=crowd.members["organiser"])
        place = event.rooms.get(name="Hall")
        scheduling.place(session, room=place, begins=datetime(2030, 5, 9, 7 + number, tzinfo=UTC), minutes=30)
    scheduling.release(event, by=crowd.members["organiser"])
    submit(event, crowd.members["speaker"], "Only submitted")
    organiser = Program(crowd.members["organiser"])
    assert titles(organiser.call("GET", "/events/days/sessions")) == ["Assembling", "Rollback", "Verity"]
    assert titles(organiser.call("GET", "/events/days/schedule")) == ["Verity", "Assembling", "Rollback"]
    track = event.tracks.get().pk
    assert titles(organiser.call("GET", f"/events/days/sessions?track={track}")) == ["Assembling", "Rollback"]


def test_schedule_goes_on_where_its_page_ends(crowd: Crowd, event: Event) -> None:
    for number in range(33):
        session = submit(event, crowd.members["speaker"], f"Session {number:02}")
        accept(session, by=crowd.members["organiser"])
        hour, place = datetime(2030, 5, 9, 6 + number // 4, tzinfo=UTC), event.rooms.get(name="Hall")
        scheduling.place(session, room=place, begins=hour, minutes=30)
    scheduling.release(event, by=crowd.members["organiser"])
    program = Program()
    _status, first = program.call("GET", "/events/days/schedule")
    _status, rest = program.call("GET", first["next"].removeprefix("http://testserver/api/v1"))
    assert [one["title"] for one in first["items"] + rest["items"]] == [f"Session {number:02}" for number in range(33)]
    assert rest["next"] is None


def test_rating_is_one_for_each_and_hidden_ones_count_for_nothing(crowd: Crowd, event: Event) -> None:
    session = on_schedule(event, crowd)
    Session.objects.update(public_begins=PAST)
    where = f"/events/days/sessions/{session.pk}"
    program = Program(crowd.members["member"])
    program.call("PUT", f"{where}/rating", {"stars": 1})
    _status, said = program.call("PUT", f"{where}/rating", {"stars": 4, "words": "Well said."})
    assert (said["ratings"], said["average"]) == (1, 4.0)
    _status, listed = Program().call("GET", f"{where}/ratings")
    assert [(one["author"]["handle"], one["stars"], one["words"]) for one in listed["items"]] == [
        ("member", 4, "Well said.")
    ]
    attending.set_rating_hidden(Rating.objects.get(), True, actor=crowd.members["moderator"])
    shown = [Program(who).call("GET", f"{where}/ratings")[1]["items"] for who in (None, crowd.members["moderator"])]
    assert (shown[0], [one["hidden"] for one in shown[1]]) == ([], [True])


def test_topic_is_suggested_and_wanted(crowd: Crowd, event: Event) -> None:
    status, made = Program(crowd.members["speaker"]).call("POST", "/events/days/topics", {"title": "Booting from tape"})
    assert (status, made["votes"], made["voted"]) == (201, 1, True)
    member = Program(crowd.members["member"])
    where = f"/events/days/topics/{made['number']}/vote"
    for method, votes in (("PUT", 2), ("PUT", 2), ("DELETE", 1), ("DELETE", 1)):
        assert member.call(method, where)[1]["votes"] == votes
    assert member.call("GET", "/events/days/topics")[1]["items"] == [{**made, "voted": False}]
    assert member.call("POST", "/events/days/topics", {"title": "Tape"})[0] == 422


def test_limits_of_the_pages_hold_for_programs(crowd: Crowd, event: Event, monkeypatch: pytest.MonkeyPatch) -> None:
    session = on_schedule(event, crowd)
    for action in ("session", "edit", "star", "topic"):
        monkeypatch.setitem(limits.LIMITS, action, limits.Limit(0, limits.HOUR))
    speaker = Program(crowd.members["speaker"])
    where = f"/events/days/sessions/{session.pk}"
    statuses = [
        speaker.call(*call)[0]
        for call in (
            ("POST", "/events/days/sessions", {**IN, "type": event.types.get(name="Talk").pk}),
            ("PATCH", where, {"title": "Another title"}),
            ("PUT", f"{where}/choice"),
            ("POST", "/events/days/topics", {"title": "Booting from tape"}),
        )
    ]
    assert statuses == [429] * 4


PLACE = {"begins": "2030-05-09T09:00", "minutes": 30}


@pytest.mark.parametrize(
    ("method", "path", "value", "expected"),
    [
        ("GET", "/submissions", None, [401, 403, 403, 200, 200, 200]),
        ("GET", "/plan", None, [401, 403, 403, 403, 200, 200]),
        ("PUT", "/sessions/{submitted}/review", {"score": 4}, [401, 403, 403, 200, 200, 200]),
        ("PUT", "/sessions/{submitted}/review", {"score": 6}, [401, 422, 422, 422, 422, 422]),
        ("PUT", "/sessions/{accepted}/review", {"score": 4}, [401, 403, 403, 403, 403, 403]),
        ("PUT", "/sessions/{submitted}/decision", {"state": "accepted"}, [401, 403, 403, 403, 200, 200]),
        ("PUT", "/sessions/{submitted}/decision", {"state": "confirmed"}, [401, 422, 422, 422, 422, 422]),
        ("PUT", "/sessions/{withdrawn}/decision", {"state": "accepted"}, [401, 403, 403, 403, 403, 403]),
        ("PUT", "/sessions/{accepted}/place", PLACE, [401, 403, 403, 403, 200, 200]),
        ("PUT", "/sessions/{submitted}/place", PLACE, [401, 403, 403, 403, 422, 422]),
        ("PUT", "/sessions/{accepted}/place", PLACE | {"begins": "2030-13-09T09:00"}, [401, 403, 403, 403, 422, 422]),
        ("PUT", "/sessions/{accepted}/place", PLACE | {"room": 999}, [401, 403, 403, 403, 422, 422]),
        ("POST", "/releases", {"note": "The first."}, [401, 403, 403, 403, 201, 201]),
    ],
)
def test_organisers_and_reviewers_work_as_on_their_pages(
    crowd: Crowd, event: Event, method: str, path: str, value: Mapping[str, object] | None, expected: list[int]
) -> None:
    speaker, organiser = crowd.members["speaker"], crowd.members["organiser"]
    numbers = {
        "submitted": submit(event, speaker, "Only submitted").pk,
        "accepted": accept(submit(event, speaker, "Accepted now"), by=organiser).pk,
        "withdrawn": submit(event, speaker, "Taken back").pk,
    }
    submitting.withdraw(Session.objects.get(pk=numbers["withdrawn"]))
    address = "/events/days" + path.format(**numbers)
    assert [program.call(method, address, value)[0] for program in programs(crowd)] == expected


def test_schedule_is_made_and_released_by_a_program(crowd: Crowd, event: Event) -> None:
    program = Program(crowd.members["organiser"])
    hall = event.rooms.get(name="Hall").pk
    first, second = (submit(event, crowd.members["speaker"], title).pk for title in ("Disks", "Networks"))
    for number in (first, second):
        status, shown = program.call("PUT", f"/events/days/sessions/{number}/decision", {"state": "accepted"})
        assert (status, shown["state"]) == (200, "accepted")
        assert Program(crowd.members["speaker"]).call("POST", f"/events/days/sessions/{number}/confirm")[0] == 200
    for number, at in ((first, "2030-05-09T09:00"), (second, "2030-05-09T09:15")):
        place = {"begins": at, "minutes": 30, "room": hall}
        status, plan = program.call("PUT", f"/events/days/sessions/{number}/place", place)
        assert status == 200
    assert plan["sessions"][0] == {
        "number": first,
        "title": "Disks",
        "state": "confirmed",
        "begins": "2030-05-09T07:00:00Z",
        "minutes": 30,
        "room": hall,
    }
    assert {one["kind"] for one in plan["clashes"]} == {"room", "speaker"}
    program.call("PUT", f"/events/days/sessions/{second}/place", {"minutes": 30})
    assert program.call("GET", "/events/days/plan")[1]["clashes"] == []
    assert program.call("POST", "/events/days/releases", {"note": "The first."})[1]["version"] == 1
    assert titles(Program().call("GET", "/events/days/schedule")) == ["Disks"]


def test_scores_are_kept_from_who_speaks(crowd: Crowd, event: Event) -> None:
    reviewer = crowd.members["reviewer"]
    own, others = submit(event, reviewer, "By a reviewer").pk, submit(event, crowd.members["speaker"], "By another").pk
    for number in (own, others):
        Program(crowd.members["organiser"]).call("PUT", f"/events/days/sessions/{number}/review", {"score": 2})
    Program(crowd.members["moderator"]).call("PUT", f"/events/days/sessions/{others}/review", {"score": 5})
    _status, listed = Program(reviewer).call("GET", "/events/days/submissions")
    assert [(one["number"], one["reviews"], one["score"]) for one in listed["items"]] == [
        (others, 2, 3.5),
        (own, None, None),
    ]
