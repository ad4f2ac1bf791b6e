"""Placing and releasing: what everybody sees, what calendars hear of, who is told."""

from datetime import timedelta

import pytest
from django.utils import timezone

from calendar_reader import read
from jeos.server.content import following, kinds, moderation, search, tags
from jeos.server.content.models import AuditEntry, FlagReason, Notification, Outcome, Tagged
from jeos.server.events import attending, preparing, queries, scheduling, submitting, tasks
from jeos.server.events.clashes import Kind
from jeos.server.events.models import Event, Room, Session, State
from server_events import NINE, Crowd, accept, make_event, on_schedule, put, submit
from server_site import make_member

pytestmark = pytest.mark.django_db


def release(event: Event, crowd: Crowd) -> int:
    return scheduling.release(event, by=crowd.members["organiser"]).number


def fresh(session: Session) -> Session:
    return Session.objects.select_related("event", "room").get(pk=session.pk)


def test_everybody_sees_what_was_released_and_not_what_is_worked_on(
    crowd: Crowd, session: Session, event: Event
) -> None:
    put(fresh(session), 60)
    (seen,) = queries.schedule(event)
    assert (seen.public_begins, fresh(session).begins) == (NINE, NINE + timedelta(hours=1))
    assert release(event, crowd) == 2
    (seen,) = queries.schedule(event)
    assert seen.public_begins == NINE + timedelta(hours=1)


def test_release_takes_only_what_is_confirmed_and_has_a_time(crowd: Crowd, event: Event) -> None:
    speaker, organiser = crowd.members["speaker"], crowd.members["organiser"]
    submitted = submit(event, speaker, "Only submitted")
    with pytest.raises(ValueError, match="not accepted"):
        put(submitted)
    accepted = submit(event, speaker, "Only accepted")
    submitting.decide(accepted, State.ACCEPTED, actor=organiser)
    put(accepted)
    accept(submit(event, speaker, "Without a time"), by=organiser)
    placed = put(accept(submit(event, speaker, "All of it"), by=organiser), 60)
    release(event, crowd)
    assert [one.pk for one in queries.schedule(event)] == [placed.pk]
    assert list(Tagged.objects.values_list("number", flat=True)) == [placed.pk]
    assert [hit.number for hit in search.index().find(search.parse("words"), limit=5)] == [placed.pk]


def test_calendars_look_again_only_when_time_place_or_title_change(
    crowd: Crowd, session: Session, event: Event
) -> None:
    assert (session.sequence, session.shown, session.scheduled) == (0, True, True)
    changed = session.changed
    release(event, crowd)
    assert (fresh(session).sequence, fresh(session).changed) == (0, changed)
    put(fresh(session), 60, room="Cellar")
    assert fresh(session).sequence == 0
    release(event, crowd)
    assert fresh(session).sequence == 1
    wanted = submitting.Wanted(title="Another title", source=session.source)
    submitting.edit(fresh(session), wanted, editor=crowd.members["speaker"])
    assert fresh(session).sequence == 2
    room = Room.objects.get(name="Cellar")
    preparing.save_part(room, name="Vault", position=1, value=20)
    assert fresh(session).sequence == 3
    assert fresh(session).changed > changed


def test_session_that_is_withdrawn_is_cancelled_at_once_and_gone_with_the_next_version(
    crowd: Crowd, session: Session, event: Event
) -> None:
    attending.star(session, crowd.members["member"], wanted=True)
    submitting.withdraw(fresh(session))
    tasks.announce_withdrawal.call(session.pk)
    assert (fresh(session).cancelled, fresh(session).scheduled, fresh(session).sequence) == (True, True, 1)
    told = set(Notification.objects.filter(reason=22).values_list("member__handle", flat=True))
    assert told == {"member", "organiser", "speaker"}
    release(event, crowd)
    assert list(queries.schedule(event)) == []
    assert [one.cancelled for one in queries.listed(event)] == [True]
    calendar = crowd.clients["visitor"].get(f"/events/days/sessions/{session.pk}.ics").content
    assert [(found.status, found.sequence) for found in read(calendar).events] == [("CANCELLED", 2)]


def test_change_is_told_once_to_those_whom_it_concerns(crowd: Crowd, session: Session, event: Event) -> None:
    attending.star(session, crowd.members["member"], wanted=True)
    follower = make_member("follower")
    following.set_level(follower, kinds.EVENT, event.pk, 1)
    put(fresh(session), 60)
    made = scheduling.release(event, by=crowd.members["organiser"])
    for _ in range(2):  # as after a worker that died
        tasks.announce_release.call(made.pk)
    told = Notification.objects.order_by("member__handle").values_list("member__handle", "kind", "reason", "count")
    assert list(told) == [
        ("follower", kinds.EVENT, 22, 1),
        ("member", kinds.SESSION, 22, 1),
        ("speaker", kinds.SESSION, 22, 1),
    ]


def test_warnings_name_what_is_wrong(crowd: Crowd, event: Event) -> None:
    speaker, organiser = crowd.members["speaker"], crowd.members["organiser"]
    first, second = (accept(submit(event, speaker, title), by=organiser) for title in ("First one", "Second one"))
    put(first)
    put(second, 15)
    late = accept(submit(event, make_member("late-one"), "Much too late"), by=organiser)
    put(late, 60 * 24 * 3)
    Room.objects.filter(name="Hall").update(capacity=0)
    attending.star(first, speaker, wanted=True)
    found = scheduling.find_clashes(event, scheduling.working(event))
    assert [(one.kind, one.first.title) for one in found] == [
        (Kind.ROOM, "First one"),
        (Kind.SPEAKER, "First one"),
        (Kind.OUTSIDE, "Much too late"),
        (Kind.FULL, "First one"),
    ]
    page = crowd.clients["organiser"].get("/events/days/manage/").content.decode()
    for words in ("Hall has two sessions", "speaker speaks twice", "not within the days", "more than Hall holds"):
        assert words in page


def test_versions_are_listed_with_their_changes(crowd: Crowd, session: Session, event: Event) -> None:
    put(fresh(session), 60)
    on_schedule(event, crowd, "A second session", 120)
    page = crowd.clients["visitor"].get("/events/days/versions/").content.decode()
    assert page.index("Version 2") < page.index("Version 1</h2>")
    assert "The first version, with 1 session." in page
    assert 'class="change-kind moved"' in page
    assert "<del>Thu 9 May 2030 09:00, 30 min, Hall</del> <ins>Thu 9 May 2030 10:00, 30 min, Hall</ins>" in page
    actions = AuditEntry.objects.filter(action="event.release").values_list("details", flat=True)
    assert sorted(row["version"] for row in actions) == [1, 2]


def test_hidden_session_is_nowhere_and_comes_back(crowd: Crowd, session: Session, event: Event) -> None:
    attending.star(session, crowd.members["member"], wanted=True)
    case = moderation.flag(kinds.SESSION, session.pk, member=crowd.members["member"], reason=FlagReason.SPAM)
    moderation.decide(case, Outcome.HIDDEN, moderator=crowd.members["moderator"])
    visitor, member = crowd.clients["visitor"], crowd.clients["member"]
    addresses = ["versions/", "schedule/", "schedule.ics", "sessions/", "speakers/", "feed.atom", ""]
    for address in [*(f"/events/days/{part}" for part in addresses), "/tags/disks/", "/search/?q=lie", "/m/speaker/"]:
        assert "disks that lie" not in visitor.get(address).content.decode(), address
    assert "disks that lie" not in member.get("/events/days/agenda/").content.decode()
    assert visitor.get(session.get_absolute_url()).status_code == 404
    assert visitor.get(f"/events/days/sessions/{session.pk}.ics").status_code == 404
    assert visitor.get("/events/days/speakers/speaker/").status_code == 404
    case.refresh_from_db()
    moderation.undo(case, moderator=crowd.members["moderator"])
    assert "disks that lie" in visitor.get("/events/days/schedule/").content.decode()
    assert [tag.name for tag in tags.of(kinds.SESSION, session.pk)] == ["disks"]


def test_event_that_is_hidden_takes_all_its_pages_along(crowd: Crowd, session: Session, event: Event) -> None:
    case = moderation.flag(kinds.EVENT, event.pk, member=crowd.members["member"], reason=FlagReason.SPAM)
    moderation.decide(case, Outcome.HIDDEN, moderator=crowd.members["moderator"])
    for part in ("", "schedule/", "schedule.ics", "topics/", "call/", "versions/", "feed.rss"):
        assert crowd.clients["member"].get(f"/events/days/{part}").status_code == 404, part
    assert search.index().find(search.parse("lie"), limit=5) == []
    assert search.index().find(search.parse("appliance"), limit=5) == []
    case.refresh_from_db()
    moderation.undo(case, moderator=crowd.members["moderator"])
    assert len(search.index().find(search.parse("lie"), limit=5)) == 1


def test_unpublished_event_is_found_by_nobody(crowd: Crowd, session: Session, event: Event) -> None:
    wanted = preparing.Wanted(
        slug="days", name="Appliance Days", begins=event.begins, ends=event.ends, zone=event.zone, published=False
    )
    preparing.change(event, wanted, actor=crowd.members["organiser"])
    assert search.index().find(search.parse("lie"), limit=5) == []
    assert Tagged.objects.count() == 0
    preparing.change(
        event, preparing.Wanted(**{**wanted.__dict__, "published": True}), actor=crowd.members["organiser"]
    )
    assert len(search.index().find(search.parse("lie"), limit=5)) == 1


def test_session_is_put_only_into_rooms_of_its_event(crowd: Crowd, session: Session) -> None:
    other = Room.objects.create(event=make_event(crowd, slug="other"), name="Elsewhere")
    for room, minutes in ((other, 30), (None, 0), (None, 100_000)):
        with pytest.raises(ValueError, match="cannot be in room"):
            scheduling.place(session, room=room, begins=timezone.now(), minutes=minutes)


def test_last_organiser_stays(crowd: Crowd, event: Event) -> None:
    duty = event.duties.get(role=1)
    with pytest.raises(ValueError, match="last organiser"):
        preparing.dismiss(duty, actor=crowd.members["moderator"])


def test_lunch_is_on_the_schedule_and_in_no_list(crowd: Crowd, session: Session, event: Event) -> None:
    lunch = submitting.invite(
        event, submitting.Wanted(title="Lunch for all", source=""), actor=crowd.members["organiser"]
    )
    put(lunch, 120)
    release(event, crowd)
    visitor = crowd.clients["visitor"]
    shown = {
        address: "Lunch for all" in visitor.get(f"/events/days/{address}").content.decode()
        for address in ("schedule/", "schedule.ics", "sessions/", "feed.atom")
    }
    assert shown == {"schedule/": True, "schedule.ics": True, "sessions/": False, "feed.atom": False}
