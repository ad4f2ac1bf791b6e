"""The call for sessions: submitted, reviewed by others, decided, confirmed; co-speakers who are asked first."""

from datetime import UTC, datetime

import pytest

from jeos.server.content import kinds
from jeos.server.content.models import AuditEntry, Notification
from jeos.server.events import reviewing, submitting, tasks
from jeos.server.events.models import Event, Review, Session, Speaker, State
from server_events import Crowd, accept, make_event, submit
from server_site import make_member

pytestmark = pytest.mark.django_db
PAST, FUTURE = datetime(2020, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC)


def told() -> list[tuple[str, int]]:
    """Return who was told, and why."""
    return list(Notification.objects.order_by("member__handle", "reason").values_list("member__handle", "reason"))


@pytest.mark.parametrize(
    ("opens", "closes", "wanted"),
    [(PAST, None, 200), (PAST, FUTURE, 200), (FUTURE, None, 403), (PAST, PAST, 403), (None, None, 403)],
)
def test_sessions_are_taken_while_the_call_is_open(
    crowd: Crowd, event: Event, opens: datetime | None, closes: datetime | None, wanted: int
) -> None:
    Event.objects.filter(pk=event.pk).update(call_opens=opens, call_closes=closes)
    assert crowd.clients["member"].get("/events/days/call/submit/").status_code == wanted
    page = crowd.clients["member"].get("/events/days/call/").content.decode()
    assert ("/events/days/call/submit/" in page) == (wanted == 200)


def test_member_submits_edits_and_withdraws(crowd: Crowd, event: Event) -> None:
    client, talk = crowd.clients["member"], event.types.get(name="Workshop")
    sent = {"title": "Boot  order", "source": "About *it*.", "type": talk.pk, "tags": "Boot, uefi", "note": "I am new."}
    assert "<em>it</em>" in client.post("/events/days/call/submit/", sent | {"preview": "1"}).content.decode()
    assert Session.objects.count() == 0
    answer = client.post("/events/days/call/submit/", sent)
    session = Session.objects.get()
    assert answer.headers["Location"] == session.get_absolute_url()
    assert (session.title, session.minutes, session.tags, session.state) == ("Boot order", 90, "boot uefi", 0)
    assert "Boot order" in client.get("/events/days/call/").content.decode()
    edited = client.post(f"/events/days/sessions/{session.pk}/edit/", sent | {"title": "Boot orders"})
    session.refresh_from_db()
    assert (edited.status_code, session.title) == (302, "Boot orders")
    Event.objects.filter(pk=event.pk).update(call_closes=PAST)
    assert client.get(f"/events/days/sessions/{session.pk}/edit/").status_code == 403
    assert client.post(f"/events/days/sessions/{session.pk}/withdraw/").status_code == 302
    session.refresh_from_db()
    assert session.state == State.WITHDRAWN
    assert client.post(f"/events/days/sessions/{session.pk}/withdraw/").status_code == 403
    with pytest.raises(ValueError, match="cannot become accepted"):
        submitting.decide(session, State.ACCEPTED, actor=crowd.members["organiser"])


@pytest.mark.parametrize(
    "change", [{"title": ""}, {"source": ""}, {"type": ""}, {"type": "999"}, {"speakers": "nobody-here"}]
)
def test_session_that_makes_no_sense_is_not_submitted(crowd: Crowd, event: Event, change: dict[str, str]) -> None:
    sent = {"title": "Boot order", "source": "text", "type": event.types.get(name="Talk").pk, **change}
    assert 'role="alert"' in crowd.clients["member"].post("/events/days/call/submit/", sent).content.decode()
    assert Session.objects.count() == 0


def test_co_speaker_is_asked_and_named_only_after_agreeing(crowd: Crowd, event: Event) -> None:
    named, client = crowd.members["member"], crowd.clients["member"]
    session = accept(submit(event, crowd.members["speaker"], speakers=[named]), by=crowd.members["organiser"])
    tasks.announce_invitation.call(session.pk, [named.pk], crowd.members["speaker"].pk)
    assert told() == [("member", 20)]
    Session.objects.filter(pk=session.pk).update(shown=True, scheduled=True, public_begins=FUTURE)
    assert crowd.clients["visitor"].get("/events/days/speakers/member/").status_code == 404
    address = session.get_absolute_url()
    assert "/speakers/member/" not in crowd.clients["visitor"].get(address).content.decode()
    assert "I speak" in client.get(address).content.decode()
    assert client.post(f"/events/days/sessions/{session.pk}/confirm/").status_code == 403
    assert client.post(f"/events/days/sessions/{session.pk}/withdraw/").status_code == 403
    client.post(f"/events/days/sessions/{session.pk}/invitation/", {"agree": "1"})
    assert crowd.clients["visitor"].get("/events/days/speakers/member/").status_code == 200
    assert "/speakers/member/" in crowd.clients["visitor"].get(address).content.decode()
    assert Notification.objects.get().seen
    client.post(f"/events/days/sessions/{session.pk}/invitation/", {"agree": "0"})
    assert list(Speaker.objects.values_list("member__handle", flat=True)) == ["speaker"]


def test_who_declines_does_not_see_what_is_not_public(crowd: Crowd, event: Event) -> None:
    session = submit(event, crowd.members["speaker"], speakers=[crowd.members["member"]])
    client, address = crowd.clients["member"], session.get_absolute_url()
    assert client.get(address).status_code == 200
    answer = client.post(f"/events/days/sessions/{session.pk}/invitation/", {"agree": "0"})
    assert answer.headers["Location"] == "/events/days/"
    assert client.get(address).status_code == 404


def test_reviewer_scores_others_sessions_and_never_own_ones(crowd: Crowd, event: Event) -> None:
    reviewer, organiser = crowd.members["reviewer"], crowd.members["organiser"]
    session = submit(event, crowd.members["speaker"], "By the speaker")
    own = submit(event, reviewer, "By the reviewer")
    named = submit(event, crowd.members["speaker"], "With the reviewer", speakers=[reviewer])
    client = crowd.clients["reviewer"]
    assert client.post(f"/events/days/review/{session.pk}/", {"score": "4", "words": "yes"}).status_code == 302
    client.post(f"/events/days/review/{session.pk}/", {"score": "5", "words": "better"})
    assert list(Review.objects.values_list("session__title", "score", "words")) == [("By the speaker", 5, "better")]
    for score in ("0", "6", "x", ""):
        assert 'role="alert"' in client.post(f"/events/days/review/{session.pk}/", {"score": score}).content.decode()
    for mine in (own, named):
        assert client.get(f"/events/days/review/{mine.pk}/").status_code == 403
        assert client.post(f"/events/days/review/{mine.pk}/", {"score": "5"}).status_code == 403
        with pytest.raises(ValueError, match="takes no such review"):
            reviewing.review(mine, reviewer=reviewer, score=5, words="")
        reviewing.review(mine, reviewer=organiser, score=1, words="a secret word")
    for address in (own.get_absolute_url(), "/events/days/review/", named.get_absolute_url()):
        page = client.get(address).content.decode()
        assert "a secret word" not in page
        assert "1.0" not in page
    assert "1.0" in crowd.clients["organiser"].get("/events/days/review/").content.decode()
    assert "5.0" in client.get("/events/days/review/").content.decode()


def test_reviewer_sees_what_others_say_only_after_the_own_review(crowd: Crowd, event: Event) -> None:
    session = submit(event, crowd.members["speaker"])
    reviewing.review(session, reviewer=crowd.members["organiser"], score=2, words="too long")
    client, address = crowd.clients["reviewer"], f"/events/days/review/{session.pk}/"
    assert "too long" not in client.get(address).content.decode()
    assert "2.0" not in client.get("/events/days/review/").content.decode()
    client.post(address, {"score": "4"})
    assert "too long" in client.get(address).content.decode()
    assert crowd.answers(address)[2] == 403


def test_note_and_words_of_reviewers_are_not_for_everybody(crowd: Crowd, event: Event) -> None:
    session = submit(event, crowd.members["speaker"], note="a private note")
    Session.objects.filter(pk=session.pk).update(shown=True, scheduled=True, public_begins=FUTURE)
    seen = [
        "a private note" in crowd.clients[role].get(session.get_absolute_url()).content.decode()
        for role in ("visitor", "member", "speaker", "reviewer", "organiser", "moderator")
    ]
    assert seen == [False, False, True, True, True, True]


def test_decision_is_told_once_and_confirmed_by_a_speaker(crowd: Crowd, event: Event) -> None:
    session = submit(event, crowd.members["speaker"])
    crowd.clients["organiser"].post(f"/events/days/review/{session.pk}/decide/", {"state": "1"})
    for _ in range(2):  # as after a worker that died
        tasks.announce_decision.call(session.pk)
    assert told() == [("speaker", 21)]
    assert "Please confirm" in crowd.clients["speaker"].get(session.get_absolute_url()).content.decode()
    assert crowd.answers(f"/events/days/sessions/{session.pk}/confirm/", {})[1:] == [404, 302, 403, 403, 403]
    session.refresh_from_db()
    assert session.state == State.CONFIRMED
    submitting.decide(session, State.ACCEPTED, actor=crowd.members["organiser"])  # changes nothing
    session.refresh_from_db()
    assert session.state == State.CONFIRMED
    assert list(AuditEntry.objects.filter(kind=kinds.SESSION).values_list("action", flat=True)) == ["session.decide"]


def test_rejected_session_can_be_opened_again(crowd: Crowd, event: Event) -> None:
    session = submit(event, crowd.members["speaker"])
    for state in (State.REJECTED, State.SUBMITTED, State.ACCEPTED, State.REJECTED):
        submitting.decide(session, state, actor=crowd.members["organiser"])
        assert Session.objects.get(pk=session.pk).state == state
    with pytest.raises(ValueError, match="was not accepted"):
        submitting.confirm(session)


def test_organiser_puts_a_session_on_without_the_call(crowd: Crowd, event: Event) -> None:
    guest = make_member("guest")
    sent = {"title": "Keynote", "source": "", "speakers": "@guest"}
    assert crowd.clients["organiser"].post("/events/days/manage/sessions/add/", sent).status_code == 302
    session = Session.objects.get()
    assert (session.state, session.invited) == (State.CONFIRMED, True)
    assert list(Speaker.objects.values_list("member__handle", "agreed")) == [("guest", False)]
    edit = f"/events/days/sessions/{session.pk}/edit/"
    assert 'value="guest"' in crowd.clients["organiser"].get(edit).content.decode()
    crowd.clients["organiser"].post(edit, sent | {"speakers": ""})
    assert guest.pk and Speaker.objects.count() == 0


def test_organiser_who_edits_keeps_the_author_as_speaker(crowd: Crowd, event: Event) -> None:
    session = submit(event, crowd.members["speaker"], speakers=[crowd.members["member"]])
    sent = {"title": "Other words", "source": "x", "type": event.types.get(name="Talk").pk, "speakers": "member"}
    crowd.clients["organiser"].post(f"/events/days/sessions/{session.pk}/edit/", sent)
    named = Speaker.objects.order_by("pk").values_list("member__handle", "agreed")
    assert list(named) == [("speaker", True), ("member", False)]


def test_organiser_decides_many_at_once(crowd: Crowd, event: Event) -> None:
    first, second, third, gone = (submit(event, crowd.members["speaker"], f"Session {n}") for n in range(4))
    other = submit(make_event(crowd, slug="other"), crowd.members["speaker"], "Elsewhere")
    submitting.withdraw(gone)
    page = crowd.clients["organiser"].get("/events/days/review/").content.decode()
    assert page.count('type="checkbox"') == 3
    assert 'type="checkbox"' not in crowd.clients["reviewer"].get("/events/days/review/").content.decode()
    numbers = [first.pk, second.pk, gone.pk, other.pk, "x", "9" * 30]
    address = "/events/days/review/decide/"
    crowd.clients["organiser"].post(address, {"state": "1", "number": numbers})
    assert Session.objects.filter(state=State.ACCEPTED).count() == 0  # nothing of what makes no sense is done
    crowd.clients["organiser"].post(address, {"state": "1", "number": numbers[:4]})
    states = dict(Session.objects.values_list("title", "state"))
    assert states == {"Session 0": 1, "Session 1": 1, "Session 2": 0, "Session 3": 4, "Elsewhere": 0}
    assert third.pk not in numbers


def test_organiser_accepts_an_own_session_on_its_page(crowd: Crowd, event: Event) -> None:
    session = submit(event, crowd.members["organiser"])
    client, address = crowd.clients["organiser"], f"/events/days/review/{session.pk}/"
    assert client.get(address).status_code == 403
    assert f"{address}decide/" in client.get(session.get_absolute_url()).content.decode()
    assert client.post(f"{address}decide/", {"state": "1"}).headers["Location"] == session.get_absolute_url()
    session.refresh_from_db()
    assert session.state == State.ACCEPTED


def test_speaker_does_not_change_what_was_decided(crowd: Crowd, event: Event) -> None:
    session = accept(submit(event, crowd.members["speaker"]), by=crowd.members["organiser"])
    workshop, track = event.types.get(name="Workshop"), session.track
    address = f"/events/days/sessions/{session.pk}/edit/"
    assert 'name="type"' not in crowd.clients["speaker"].get(address).content.decode()
    sent = {"title": "A longer title", "source": "x", "type": workshop.pk, "track": ""}
    assert crowd.clients["speaker"].post(address, sent).status_code == 302
    session.refresh_from_db()
    assert (session.title, session.minutes, session.track) == ("A longer title", 30, track)
    crowd.clients["organiser"].post(address, sent)
    session.refresh_from_db()
    assert (session.minutes, session.type, session.track) == (90, workshop, None)
