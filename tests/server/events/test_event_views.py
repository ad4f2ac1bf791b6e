"""The pages of events: who may see and do what, how many queries they take, what forms refuse."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import feedparser
import pytest
from django.test import Client

import calendar_reader
from hostile_texts import ATTACKS, assert_harmless, assert_no_script
from jeos.server.content import attachments, comments, kinds
from jeos.server.content.models import Revision
from jeos.server.events import attending, preparing, reviewing, scheduling, submitting, topics
from jeos.server.events.models import Duty, Event, Rating, Release, Role, Room, Session, Star, State, Track
from server_events import NINE, Crowd, accept, make_event, on_schedule, put, submit
from server_site import count_queries, make_member, signed_in

pytestmark = pytest.mark.django_db
OPEN = [200] * 6
MEMBERS = [401, 200, 200, 200, 200, 200]
REVIEWERS = [401, 403, 403, 200, 200, 200]
ORGANISERS = [401, 403, 403, 403, 200, 200]
NOWHERE = [404] * 6


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/events/", OPEN),
        ("/events/past/", OPEN),
        ("/events/feed.atom", OPEN),
        ("/events/feed.pdf", NOWHERE),
        ("/events/new/", [401, 403, 403, 403, 403, 200]),
        ("/events/days/", OPEN),
        ("/events/nothing/", NOWHERE),
        ("/events/days/schedule/", OPEN),
        ("/events/days/schedule/?view=list", OPEN),
        ("/events/days/schedule.ics", OPEN),
        ("/events/days/feed.rss", OPEN),
        ("/events/days/versions/", OPEN),
        ("/events/days/speakers/", OPEN),
        ("/events/days/speakers/speaker/", OPEN),
        ("/events/days/speakers/member/", NOWHERE),
        ("/events/days/sessions/", OPEN),
        ("/events/days/sessions/?track=99999999999999999999", OPEN),
        ("/events/days/sessions/{s}/", [301] * 6),
        ("/events/days/sessions/{s}/reading-disks-that-lie/", OPEN),
        ("/events/days/sessions/{s}/other-words/", [301] * 6),
        ("/events/days/sessions/{s}/history/", OPEN),
        ("/events/days/sessions/{s}.ics", OPEN),
        ("/events/days/sessions/999999/", NOWHERE),
        ("/events/days/sessions/99999999999999999999/", NOWHERE),
        ("/events/other/sessions/{s}/", NOWHERE),
        ("/events/other/sessions/{s}.ics", NOWHERE),
        ("/events/days/sessions/{s}/edit/", [401, 403, 200, 403, 200, 200]),
        ("/events/days/sessions/{s}/star/", [405] * 6),
        ("/events/days/agenda/", MEMBERS),
        ("/events/days/agenda/1-0123456789abcdef.ics", NOWHERE),
        ("/events/days/topics/", OPEN),
        ("/events/days/call/", OPEN),
        ("/events/days/call/submit/", MEMBERS),
        ("/events/days/review/", REVIEWERS),
        ("/events/days/review/?state=confirmed", REVIEWERS),
        ("/events/days/review/{s}/", REVIEWERS),
        ("/events/days/manage/", ORGANISERS),
        ("/events/days/manage/event/", ORGANISERS),
        ("/events/days/manage/parts/", ORGANISERS),
        ("/events/days/manage/people/", ORGANISERS),
        ("/events/days/manage/schedule/", ORGANISERS),
        ("/events/days/manage/sessions/add/", ORGANISERS),
        ("/flag/7/{s}/", MEMBERS),
        ("/comment/7/{s}/", MEMBERS),
    ],
)
def test_page_is_for_whom_it_should_be(crowd: Crowd, session: Session, path: str, wanted: list[int]) -> None:
    make_event(crowd, slug="other")
    assert crowd.answers(path.format(s=session.pk)) == wanted


EVENT = {"name": "Winter Days", "slug": "winter", "begins": "2031-01-01", "ends": "2031-01-02", "zone": "UTC"}


@pytest.mark.parametrize(
    ("path", "data", "wanted"),
    [
        ("/events/new/", EVENT, [401, 403, 403, 403, 403, 302]),
        ("/events/days/manage/event/", EVENT | {"slug": "days"}, [401, 403, 403, 403, 302, 302]),
        ("/events/days/manage/parts/room/0/", {"name": "Attic", "position": "1"}, [401, 403, 403, 403, 302, 302]),
        ("/events/days/manage/parts/hat/0/", {"name": "Attic", "position": "1"}, [401, 403, 403, 403, 404, 404]),
        ("/events/days/manage/parts/room/999999/", {"name": "x", "position": "1"}, [401, 403, 403, 403, 404, 404]),
        ("/events/days/manage/people/", {"handle": "member", "role": "2"}, [401, 403, 403, 403, 302, 302]),
        ("/events/days/manage/people/{d}/dismiss/", {}, [401, 403, 403, 403, 302, 404]),
        ("/events/days/manage/sessions/add/", {"title": "Lunch"}, [401, 403, 403, 403, 302, 302]),
        ("/events/days/manage/schedule/{s}/", {"minutes": "30"}, [401, 403, 403, 403, 302, 302]),
        ("/events/days/manage/release/", {}, [401, 403, 403, 403, 302, 302]),
        ("/events/days/agenda/renew/", {}, [401, 302, 302, 302, 302, 302]),
        ("/events/days/sessions/{s}/star/", {"want": "1"}, [401, 302, 302, 302, 302, 302]),
        ("/events/days/sessions/{s}/rate/", {"stars": "5"}, [401, 403, 403, 403, 403, 403]),  # not begun
        ("/events/days/sessions/{s}/withdraw/", {}, [401, 403, 302, 403, 403, 403]),
        ("/events/days/sessions/{s}/confirm/", {}, [401, 403, 403, 403, 403, 403]),  # confirmed already
        ("/events/days/sessions/{s}/invitation/", {"agree": "1"}, [401, 404, 302, 404, 404, 404]),
        ("/events/days/call/submit/", {"title": "T i", "source": "x", "type": "{t}"}, [401, 302, 302, 302, 302, 302]),
        ("/events/days/review/{s}/", {"score": "5"}, [401, 403, 403, 403, 403, 403]),  # decided already
        ("/events/days/review/{s}/decide/", {"state": "3"}, [401, 403, 403, 403, 302, 302]),
        ("/events/days/review/decide/", {"state": "1", "number": "{s}"}, [401, 403, 403, 403, 302, 302]),
        ("/events/days/review/decide/", {"state": "9", "number": "x"}, [401, 403, 403, 403, 302, 302]),
        ("/flag/30/{e}/", {"reason": "1"}, [401, 200, 200, 200, 200, 200]),
        ("/events/days/topics/", {"title": "Some topic"}, [403, 302, 302, 302, 302, 302]),
        ("/comment/7/{s}/", {"source": "yes"}, [401, 302, 302, 302, 302, 302]),
        ("/follow/session/{s}/", {"level": "1"}, [401, 302, 302, 302, 302, 302]),
        ("/follow/event/{e}/", {"level": "1"}, [401, 302, 302, 302, 302, 302]),
    ],
)
def test_move_is_for_whom_it_should_be(
    crowd: Crowd, event: Event, session: Session, path: str, data: dict[str, str], wanted: list[int]
) -> None:
    duty = Duty.objects.get(event=event, role=2)
    names = {"s": session.pk, "e": event.pk, "d": duty.pk, "t": event.types.get(name="Talk").pk}
    sent = {name: value.format(**names) for name, value in data.items()}
    assert crowd.answers(path.format(**names), sent) == wanted


def test_event_in_preparation_is_for_those_who_prepare_it(crowd: Crowd) -> None:
    event = make_event(crowd, slug="secret", published=False)
    submit(event, crowd.members["speaker"])
    wanted = [404, 404, 404, 200, 200, 200]
    for part in ("", "schedule/", "sessions/", "speakers/", "topics/", "call/"):
        assert crowd.answers(f"/events/secret/{part}") == wanted, part
    assert crowd.answers("/events/secret/schedule.ics") == NOWHERE
    assert crowd.answers("/events/secret/feed.atom") == NOWHERE
    for role, seen in (
        ("visitor", False),
        ("member", False),
        ("reviewer", True),
        ("organiser", True),
        ("moderator", True),
    ):
        page = crowd.clients[role].get("/events/").content.decode()
        assert ("/events/secret/" in page) == seen, role
        assert "/events/secret/" not in crowd.clients[role].get("/events/feed.atom").content.decode()


def test_session_before_its_schedule_is_for_its_speakers_and_who_decides(crowd: Crowd, event: Event) -> None:
    session = submit(event, crowd.members["speaker"], "Not yet public")
    address = session.get_absolute_url()
    assert crowd.answers(address) == [404, 404, 200, 200, 200, 200]
    assert crowd.answers(f"/events/days/sessions/{session.pk}.ics") == NOWHERE
    assert crowd.answers(f"/comment/7/{session.pk}/", {"source": "x"})[1:] == [404] * 5
    assert crowd.answers(f"/events/days/sessions/{session.pk}/star/", {"want": "1"}) == [401, 404, 403, 403, 403, 403]
    for page in (
        "/events/days/sessions/",
        "/events/days/speakers/",
        "/events/days/feed.rss",
        "/m/speaker/",
        "/search/?q=public",
    ):
        assert "Not yet public" not in crowd.clients["member"].get(page).content.decode(), page


@pytest.mark.parametrize(
    "change",
    [
        *(
            {"name": ""},
            {"slug": "new"},
            {"slug": "days"},
            {"slug": "a b"},
            {"zone": "Moon/Sea"},
            {"begins": "9999-01-01"},
        ),
        *({"ends": "2030-12-31"}, {"ends": "2031-06-01"}, {"call_opens": "soon"}, {"call_closes": "2031-01-01T00:00"}),
        *({"call_opens": "0001-01-01T00:00"}, {"source": "nul\x00"}),
    ],
)
def test_event_that_makes_no_sense_is_not_made(crowd: Crowd, event: Event, change: dict[str, str]) -> None:
    answer = crowd.clients["moderator"].post("/events/new/", EVENT | change)
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()
    assert Event.objects.count() == 1


def test_event_is_made_in_its_own_zone(crowd: Crowd) -> None:
    client = crowd.clients["moderator"]
    sent = {**EVENT, "zone": "Asia/Tokyo", "call_opens": "2030-06-01T09:00", "source": "*soft*"}
    assert "<em>soft</em>" in client.post("/events/new/", sent | {"preview": "1"}).content.decode()
    assert Event.objects.count() == 0
    assert client.post("/events/new/", sent).headers["Location"] == "/events/winter/manage/parts/"
    made = Event.objects.get()
    assert (made.call_opens, made.html) == (datetime(2030, 6, 1, tzinfo=UTC), "<p><em>soft</em></p>\n")
    assert len(made.days) == 2
    assert 'value="2030-06-01T09:00"' in client.get("/events/winter/manage/event/").content.decode()


def test_tracks_rooms_and_types_are_made_changed_and_removed(crowd: Crowd, event: Event) -> None:
    client, base = crowd.clients["organiser"], "/events/days/manage/parts/"
    client.post(f"{base}track/0/", {"name": "Running", "position": "2", "value": "5"})
    track = Track.objects.get(name="Running")
    assert (track.hue, track.position, track.event) == (5, 2, event)
    client.post(f"{base}track/{track.pk}/", {"name": "Run", "position": "1", "value": "6"})
    track.refresh_from_db()
    assert (track.name, track.hue) == ("Run", 6)
    client.post(f"{base}track/{track.pk}/", {"remove": "1"})
    assert not Track.objects.filter(pk=track.pk).exists()
    for kind, sent in (
        ("track", {"value": "12"}),
        ("type", {"value": ""}),
        ("type", {"value": "2"}),
        ("room", {"value": "-1"}),
    ):
        page = client.post(f"{base}{kind}/0/", {"name": "x", "position": "1", **sent}).content.decode()
        assert 'role="alert"' in page, kind
    client.post(f"{base}room/0/", {"name": "Attic", "position": "1", "value": ""})
    assert Room.objects.get(name="Attic").capacity is None


def test_organiser_places_and_releases(crowd: Crowd, event: Event) -> None:
    session = accept(submit(event, crowd.members["speaker"]), by=crowd.members["organiser"])
    client, hall = crowd.clients["organiser"], event.rooms.get(name="Hall")

    address = f"/events/days/manage/schedule/{session.pk}/"
    client.post(address, {"begins": "2030-05-09T09:00", "minutes": "45", "room": hall.pk})
    session.refresh_from_db()
    assert (session.begins, session.minutes, session.room) == (NINE, 45, hall)
    for wrong in ({"begins": "never", "minutes": "45"}, {"minutes": "0"}, {"minutes": "30", "room": "999999"}):
        assert 'role="alert"' in client.post(address, wrong).content.decode()
    assert "1 change" in client.get("/events/days/manage/").content.decode()
    client.post("/events/days/manage/release/", {"note": "here it is"})
    page = crowd.clients["visitor"].get("/events/days/schedule/").content.decode()
    assert "Reading disks that lie" in page
    assert "09:00\N{EN DASH}09:45" in page
    assert Release.objects.get().note == "here it is"
    client.post(address, {"minutes": "45"})
    session.refresh_from_db()
    assert session.begins is None


def test_schedule_is_shown_in_the_zone_of_the_event(crowd: Crowd, session: Session) -> None:
    crowd.members["member"].time_zone = "Asia/Tokyo"
    crowd.members["member"].save()
    page = crowd.clients["member"].get("/events/days/schedule/").content.decode()
    assert "09:00\N{EN DASH}09:30" in page
    assert "Europe/Berlin (UTC+02:00)" in page


def test_agenda_has_what_was_chosen_and_warns(crowd: Crowd, event: Event, session: Session) -> None:
    other = on_schedule(event, crowd, "At the same time", 15, room="Cellar")
    later = on_schedule(event, crowd, "Much later that day", 300)
    client = crowd.clients["member"]
    for one in (session, other):
        client.post(f"/events/days/sessions/{one.pk}/star/", {"want": "1"})
    page = client.get("/events/days/agenda/").content.decode()
    assert "Some of what you chose is at the same time" in page
    assert later.title not in page
    assert "At the same time you also chose" in client.get(session.get_absolute_url()).content.decode()
    address = f"/events/days/sessions/{other.pk}/star/"
    part = client.post(address, {"want": "0", "views": "tlx<"}, headers={"hx-request": "true"}).content.decode()
    assert "<html" not in part
    assert re.findall(r'id="(\w+)".*?aria-pressed="(\w+)".*?hx-swap-oob="true"', part) == [
        (f"t{other.pk}", "false"),
        (f"l{other.pk}", "false"),
    ]
    assert "at the same time" not in client.get("/events/days/agenda/").content.decode()
    assert [Session.objects.get(pk=one.pk).starred for one in (session, other)] == [1, 0]
    assert Star.objects.count() == 1


@pytest.mark.parametrize("page", ["schedule/", "sessions/", "agenda/"])
def test_star_without_scripts_comes_back_to_its_button(crowd: Crowd, event: Event, session: Session, page: str) -> None:
    attending.star(session, crowd.members["member"], wanted=True)
    client, address = crowd.clients["member"], f"/events/days/{page}?"
    shown = client.get(address).content.decode()
    (next_page,) = set(re.findall(r'name="next" value="([^"]+)"', shown))
    for view, target in re.findall(rf'<button id="([tl]){session.pk}" class="star-button" formaction="([^"]+)"', shown):
        answer = client.post(target, {"want": "1", "next": next_page})
        assert (answer.status_code, answer["Location"]) == (302, f"{next_page}#{view}{session.pk}")
        assert f'id="{view}{session.pk}"' in shown
    elsewhere = client.post(target, {"want": "1", "next": "https://elsewhere.example/"})
    assert elsewhere["Location"].partition("#")[0] == session.get_absolute_url()


def test_agenda_has_a_secret_address_that_can_be_renewed(crowd: Crowd, event: Event, session: Session) -> None:
    member, visitor = crowd.members["member"], crowd.clients["visitor"]
    attending.star(session, member, wanted=True)
    on_schedule(event, crowd, "Not chosen at all", 300)
    address = attending.agenda_address(event, member)
    assert address == attending.agenda_address(event, member)
    answer = visitor.get(address)
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (
        "text/calendar; charset=utf-8",
        "private, no-store",
    )
    seen = calendar_reader.read(answer.content)
    assert seen.name == "Appliance Days: your agenda"
    assert [(found.title, found.begins) for found in seen.events] == [(session.title, NINE)]
    crowd.clients["member"].post("/events/days/agenda/renew/")
    assert visitor.get(address).status_code == 404
    renewed = attending.agenda_address(event, member)
    assert (renewed != address, visitor.get(renewed).status_code) == (True, 200)
    assert visitor.get(renewed.replace("days", "other")).status_code == 404
    member.is_active = False
    member.save()
    assert visitor.get(renewed).status_code == 404


def test_calendar_of_the_schedule_has_stable_names(crowd: Crowd, event: Event, session: Session) -> None:
    on_schedule(event, crowd, "A second session", 300)
    seen = calendar_reader.read(crowd.clients["visitor"].get("/events/days/schedule.ics").content)
    assert len(seen.events) == 2
    assert seen.events[0] == calendar_reader.Seen(
        uid=f"session-{session.pk}@testserver",
        sequence=0,
        stamp=session.changed.replace(microsecond=0),
        begins=NINE,
        ends=NINE + timedelta(minutes=30),
        title="Reading disks that lie",
        text="speaker\n\nWords of *Reading disks that lie*.",
        place="Hall, Leipzig",
        url=f"http://testserver{session.get_absolute_url()}",
        categories=("Building",),
        status="CONFIRMED",
    )


def test_session_is_rated_once_it_began_and_by_others(crowd: Crowd, session: Session) -> None:
    Session.objects.filter(pk=session.pk).update(public_begins=datetime(2025, 1, 1, tzinfo=UTC))
    address = f"/events/days/sessions/{session.pk}/rate/"
    assert crowd.answers(address, {"stars": "4", "words": "good"}) == [401, 302, 403, 302, 302, 302]
    assert crowd.answers(address, {"stars": "6"}) == [401, 200, 403, 200, 200, 200]
    crowd.clients["member"].post(address, {"stars": "2", "words": "on second thought"})
    session.refresh_from_db()
    assert (session.ratings, session.points, session.average) == (4, 14, 3.5)
    assert "on second thought" in crowd.clients["visitor"].get(session.get_absolute_url()).content.decode()
    rating = Rating.objects.get(member=crowd.members["member"])
    assert crowd.answers(f"/events/days/ratings/{rating.pk}/hide/", {}) == [401, 403, 403, 403, 403, 302]
    session.refresh_from_db()
    assert (session.ratings, session.points) == (3, 12)
    assert "on second thought" not in crowd.clients["visitor"].get(session.get_absolute_url()).content.decode()
    assert "on second thought" in crowd.clients["moderator"].get(session.get_absolute_url()).content.decode()


def test_topics_are_suggested_voted_for_and_flagged(crowd: Crowd, event: Event) -> None:
    client = crowd.clients["member"]
    client.post("/events/days/topics/", {"title": "Keys on cards"})
    topic = topics.suggest(event, author=crowd.members["speaker"], title="Another topic")
    assert topic.votes == 1
    vote = f"/events/days/topics/{topic.pk}/vote/"
    assert crowd.answers(vote, {"want": "1"}) == [401, 302, 302, 302, 302, 302]
    part = client.post(vote, {"want": "0"}, headers={"hx-request": "true"}).content.decode()
    assert ("<html" in part, 'aria-pressed="false"' in part) == (False, True)
    topic.refresh_from_db()
    assert topic.votes == 4
    page = crowd.clients["visitor"].get("/events/days/topics/").content.decode()
    assert page.index("Another topic") < page.index("Keys on cards")
    assert client.post("/events/days/topics/", {"title": "Word"}).status_code == 200
    assert crowd.answers(f"/flag/31/{topic.pk}/") == MEMBERS
    topics.set_hidden(topic.pk, True)
    assert crowd.answers(vote, {"want": "1"})[1:] == [404] * 5
    assert "Another topic" not in crowd.clients["member"].get("/events/days/topics/").content.decode()


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_field_lets_a_script_through(crowd: Crowd, attack: str) -> None:
    attack = attack.replace("\x00", "")  # forms refuse NUL, and PostgreSQL cannot store it
    organiser, speaker = crowd.members["organiser"], crowd.members["speaker"]
    speaker.name, speaker.about = attack[:60], attack
    speaker.save()
    event = make_event(
        crowd, name=attack[:120], line=attack[:200], place=attack[:120], source=attack, call_source=attack
    )
    for part in (event.tracks.get(), event.types.all()[0], event.rooms.get(name="Hall")):
        preparing.save_part(part, name=attack[:60], position=0, value=5)
    room, type_ = event.rooms.order_by("position", "pk")[0], event.types.order_by("position", "pk")[0]
    title = f"x y {attack}"[:120]
    session = submit(event, speaker, title, source=attack, note=attack, type=type_)
    reviewing.review(session, reviewer=crowd.members["reviewer"], score=3, words=attack)
    other = submit(event, speaker, title, source=attack)
    for one in (session, other):
        accept(one, by=organiser)
        scheduling.place(one, room=room, begins=NINE, minutes=30)
    scheduling.release(event, by=organiser, note=attack[:500])
    Session.objects.filter(pk=session.pk).update(public_begins=datetime(2025, 1, 1, tzinfo=UTC))
    session.refresh_from_db()
    attending.rate(session, crowd.members["member"], stars=3, words=attack[:500])
    attending.star(other, crowd.members["moderator"], wanted=True)
    attending.star(session, crowd.members["moderator"], wanted=True)
    comments.write(kinds.SESSION, session.pk, author=speaker, source=attack)
    topics.suggest(event, author=speaker, title=title)
    wanted = submitting.Wanted(title=title, source=f"{attack} more", note=attack, type=type_)
    submitting.edit(session, wanted, editor=speaker, reason=attack[:200])
    event.refresh_from_db()
    for html in (event.html, event.call_html, Session.objects.get(pk=session.pk).html):
        assert_harmless(html)
    parts = (
        *("", "schedule/", "sessions/", "speakers/", "speakers/speaker/", "versions/", "topics/", "call/", "agenda/"),
        *("review/?state=confirmed", f"review/{session.pk}/", "manage/", "manage/event/", "manage/parts/"),
        *(f"sessions/{session.pk}/history/", f"sessions/{session.pk}/edit/", f"sessions/{session.pk}/"),
    )
    for address in ("/events/", *(f"/events/days/{part}" for part in parts)):
        answer = crowd.clients["moderator"].get(address, follow=True)
        assert answer.status_code == 200, address
        assert_no_script(answer.content.decode())
    calendar_reader.read(crowd.clients["visitor"].get("/events/days/schedule.ics").content)


def test_forms_need_their_token(crowd: Crowd, session: Session) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(crowd.members["moderator"], backend="jeos.server.accounts.backends.Passphrases")
    number = session.pk
    for address in (
        *(
            "new/",
            "days/manage/event/",
            "days/manage/release/",
            f"days/manage/schedule/{number}/",
            "days/agenda/renew/",
        ),
        *(f"days/sessions/{number}/star/", f"days/sessions/{number}/rate/", "days/topics/", "days/call/submit/"),
        *(
            f"days/review/{number}/",
            f"days/review/{number}/decide/",
            "days/manage/parts/room/0/",
            "days/manage/people/",
        ),
    ):
        assert client.post(f"/events/{address}", {"want": "1"}).status_code == 403, address
    assert (Star.objects.count(), Release.objects.count()) == (0, 1)


def pages(client: Client, address: str, opening: str) -> list[str]:
    """Return what follows `opening` on all pages of a list, from the first to the last."""
    seen: list[str] = []
    at = address
    while at:
        page = client.get(at).content.decode()
        seen += [part.split('"')[0] for part in page.partition("<main")[2].split(opening)[1:]]
        rest = page.partition('rel="next" href="')[2]
        at = f"{address.partition('?')[0]}{rest.partition(chr(34))[0]}".replace("&amp;", "&") if rest else ""
    return seen


def test_lists_go_on_by_key_to_their_ends(crowd: Crowd, event: Event) -> None:
    track = event.tracks.get()
    speakers = [make_member(f"speaker-{number}") for number in range(55)]
    for number in range(55):
        session = submit(event, speakers[number], f"Session {number % 20}")
        Session.objects.filter(pk=session.pk).update(shown=True, shown_since=NINE, public_begins=NINE)
        topics.suggest(event, author=speakers[number], title=f"Topic {number}")
        make_event(
            crowd, slug=f"past-{number}", begins=NINE.date().replace(year=2020), ends=NINE.date().replace(year=2020)
        )
        make_event(crowd, slug=f"next-{number}")
        scheduling.release(event, by=crowd.members["organiser"])
    client = crowd.clients["moderator"]
    for address, opening in (
        ("/events/days/sessions/", '<h2 class="title"><a href="/events/days/sessions/'),
        (f"/events/days/sessions/?track={track.pk}", '<h2 class="title"><a href="/events/days/sessions/'),
        ("/events/days/speakers/", 'class="title"><a href="/events/days/speakers/'),
        ("/events/days/topics/", '<li class="line topic-line" id="'),
        ("/events/days/review/", '</span><a href="/events/days/review/'),
        ("/events/past/", '<h2 class="title" id="'),
        ("/events/days/versions/", '<h2 id="v'),
    ):
        seen = pages(client, address, opening)
        assert (len(seen), len(set(seen))) == (55, 55), address
    assert len(pages(client, "/events/", '<h2 class="title" id="')) == 56


def read(feed: bytes) -> Any:
    """Return what a feed reader makes of a feed."""
    return feedparser.parse(feed)  # type: ignore[no-untyped-call]


def test_feeds_have_events_and_sessions_with_their_texts(crowd: Crowd, session: Session) -> None:
    found = read(crowd.clients["visitor"].get("/events/feed.atom").content)
    assert [(one.title, one.content[0].value) for one in found.entries] == [
        ("Appliance Days", "<p>What it <em>is</em>.</p>")
    ]
    found = read(crowd.clients["visitor"].get("/events/days/feed.atom").content)
    assert [(one.title, one.author) for one in found.entries] == [("Reading disks that lie", "speaker")]


PAGES = [
    *("/events/", "/events/past/", "/events/feed.atom", "/events/days/", "/events/days/schedule/"),
    *(
        "/events/days/schedule.ics",
        "/events/days/sessions/",
        "/events/days/speakers/",
        "/events/days/speakers/speaker/",
    ),
    *("/events/days/versions/", "/events/days/feed.rss", "/events/days/topics/", "/events/days/call/", "SESSION"),
    *("/tags/disks/", "/m/speaker/"),
]
OF_ORGANISERS = ["manage/", "manage/parts/", "manage/people/", "review/", "review/?state=confirmed", "REVIEW"]
MOST_QUERIES = 20  # of any of these pages, session and member included


@pytest.mark.parametrize("who", ["visitor", "member", "organiser"])
def test_number_of_queries_does_not_grow_with_the_rows(crowd: Crowd, event: Event, who: str) -> None:
    counts: list[dict[str, int]] = []
    speaker, organiser, member = crowd.members["speaker"], crowd.members["organiser"], crowd.members["member"]
    for amount in (1, 29):
        for number in range(amount):
            other = make_member(f"other-{amount}-{number}")
            waiting = submit(event, other, f"Waiting {amount} {number}")
            reviewing.review(waiting, reviewer=crowd.members["reviewer"], score=4, words="words")
            both = submit(event, speaker, f"Session {amount} {number}", speakers=[other])
            submitting.answer_invitation(both, other, agrees=True)
            put(accept(both, by=organiser), 40 * number)
            for one in (member, organiser):
                attending.star(both, one, wanted=True)
            topics.suggest(event, author=other, title=f"Topic {number}")
            Room.objects.create(event=event, name=f"Room {amount} {number}")
            Track.objects.create(event=event, name=f"Track {amount} {number}")
            preparing.appoint(event, other, Role.REVIEWER, actor=organiser)
            make_event(
                crowd,
                slug=f"past-{amount}-{number}",
                begins=NINE.date().replace(year=2020),
                ends=NINE.date().replace(year=2020),
            )
        scheduling.release(event, by=organiser)
        Session.objects.filter(pk=both.pk).update(public_begins=datetime(2025, 1, 1, tzinfo=UTC))
        both.refresh_from_db()
        for number in range(amount):
            rater = make_member(f"rater-{amount}-{number}")
            attending.rate(both, rater, stars=4, words="words")
            comments.write(kinds.SESSION, both.pk, author=rater, source="words")
        pages = [both.get_absolute_url() if page == "SESSION" else page for page in PAGES]
        pages += ["/events/days/agenda/"] if who != "visitor" else []
        if who == "organiser":
            pages += [f"/events/days/{f'review/{waiting.pk}/' if part == 'REVIEW' else part}" for part in OF_ORGANISERS]
        names = [*PAGES, "agenda", *OF_ORGANISERS]
        counts.append({name: count_queries(crowd.clients[who], page) for name, page in zip(names, pages, strict=False)})
    assert all(counts[1][page] <= counts[0][page] for page in counts[0]), counts
    assert max(counts[1].values()) <= MOST_QUERIES, counts[1]


def test_member_takes_along_what_belongs_to_it_and_leaves(crowd: Crowd, event: Event, session: Session) -> None:
    member = crowd.members["member"]
    attending.star(session, member, wanted=True)
    attending.agenda_address(event, member)
    submit(event, member, "My own session", note="secret note")
    topics.suggest(event, author=member, title="My own topic")
    attending.rate(session, member, stars=5, words="my own words")
    sent = signed_in(member).post("/settings/data/download/")
    data = b"".join(sent.streaming_content).decode()  # type: ignore[attr-defined] # it streams
    for words in ("My own session", "secret note", "My own topic", "my own words", "Reading disks that lie"):
        assert words in data
    from jeos.server.accounts import leaving

    leaving.leave(member)
    assert Session.objects.get(pk=session.pk).starred == 0
    assert Star.objects.count() == 0
    page = crowd.clients["visitor"].get(session.get_absolute_url()).content.decode()
    assert ("my own words" in page, "a former member" in page) == (True, True)


def test_title_and_text_have_a_history(crowd: Crowd, session: Session) -> None:
    client = crowd.clients["speaker"]
    sent = {
        "title": "Disks that lie",
        "source": "Other *words*.",
        "type": session.event.types.get(name="Talk").pk,
        "reason": "shorter",
    }
    assert client.post(f"/events/days/sessions/{session.pk}/edit/", sent).status_code == 302
    session.refresh_from_db()
    assert (session.title, session.version, session.sequence) == ("Disks that lie", 2, 1)
    assert Revision.objects.filter(kind=kinds.SESSION, number=session.pk).count() == 2
    assert "<ins>" in crowd.clients["visitor"].get(f"/events/days/sessions/{session.pk}/history/").content.decode()
    assert session.state == State.CONFIRMED


def test_page_that_may_be_kept_says_for_whom(crowd: Crowd, session: Session) -> None:
    def reader(role: str, address: str) -> str | None:
        return crowd.clients[role].get(address).headers.get("Page-Reader")

    schedule = "/events/days/schedule/"
    names = {role: reader(role, schedule) for role in crowd.clients}
    assert names["visitor"] == "visitor"
    assert len(set(names.values())) == len(names)
    for address in ("agenda/", f"sessions/{session.pk}/{session.slug}/", "speakers/", "offline/", ""):
        assert reader("member", f"/events/days/{address}") == names["member"], address
    for address in ("manage/", "review/", "call/", "topics/", f"review/{session.pk}/", f"sessions/{session.pk}/edit/"):
        assert reader("moderator", f"/events/days/{address}") is None, address
    assert reader("visitor", "/events/days/agenda/") is None


def test_worker_is_a_script_below_the_event(crowd: Crowd, event: Event) -> None:
    make_event(crowd, slug="secret", published=False)
    answer = crowd.clients["visitor"].get("/events/days/worker.js")
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (
        "text/javascript; charset=utf-8",
        "no-cache",
    )
    assert "'unsafe" not in answer.headers["Content-Security-Policy"]
    assert crowd.answers("/events/secret/worker.js") == [404, 404, 404, 200, 200, 200]
    assert crowd.answers("/events/days/offline/") == OPEN


def test_signing_out_clears_what_the_browser_kept(crowd: Crowd) -> None:
    client = crowd.clients["member"]
    assert "Clear-Site-Data" not in client.post("/preview/", {"source": "x"}).headers
    assert client.post("/accounts/logout/").headers["Clear-Site-Data"] == '"storage"'
    assert "Clear-Site-Data" not in client.post("/accounts/logout/").headers


def test_file_in_a_text_is_for_those_who_may_read_the_text(crowd: Crowd, event: Event) -> None:
    speaker, organiser = crowd.members["speaker"], crowd.members["organiser"]
    slides, plan = (attachments.keep(member, name="notes.txt", data=b"notes") for member in (speaker, organiser))
    session = submit(event, speaker, source=f"See {slides.markdown}")
    assert crowd.answers(slides.url) == [404, 404, 200, 200, 200, 200]
    put(accept(session, by=organiser))
    scheduling.release(event, by=organiser)
    assert crowd.answers(slides.url) == OPEN
    make_event(crowd, slug="secret", published=False, call_source=f"See {plan.markdown}")
    assert crowd.answers(plan.url) == [404, 404, 404, 200, 200, 200]
    page = crowd.clients["speaker"].get("/events/days/call/submit/").content.decode()
    assert ('enctype="multipart/form-data"' in page, 'name="files-source"' in page) == (True, True)
