"""Reviews, ratings and expiry of practices: who counts, once, whoever acts at the same time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from jeos.server.accounts.models import Member, Role, Trust
from jeos.server.content import comments, following, kinds, moderation, search
from jeos.server.content.models import AuditEntry, FlagReason, Notification, Outcome, Revision, Tagged
from jeos.server.jobs import schedule
from jeos.server.practices import proving, rating, tasks, writing
from jeos.server.practices.models import PARTS, Practice, Rating, Review, State, Verdict
from server_race import arena
from server_site import make_member

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def wanted(title: str = "Keep the data apart", **options: object) -> writing.Wanted:
    parts = {part: f"*{part}* of {title}" for part in PARTS}
    return writing.Wanted(title=title, parts=parts, **options)  # type: ignore[arg-type]


def submitted(author: Member, title: str = "Keep the data apart", **options: object) -> Practice:
    practice = writing.draft(wanted(title, **options), author=author, now=NOW)
    writing.submit(practice, now=NOW)
    return practice


def peers(count: int) -> list[Member]:
    made = [make_member(f"peer-{number}") for number in range(count)]
    Member.objects.filter(pk__in=[peer.pk for peer in made]).update(trust=Trust.KNOWN)
    return made


def say(practice: Practice, reviewer: Member, verdict: Verdict = Verdict.APPROVE, *, now: datetime = NOW) -> State:
    proving.review(practice, reviewer=reviewer, verdict=verdict, source="because *so*", now=now)
    return State(practice.state)


def proven(author: Member, **options: object) -> Practice:
    practice = submitted(author, **options)  # type: ignore[arg-type]
    for number in range(2):
        say(practice, make_member(f"approves-{number}-{practice.pk}"))
    return practice


def found(text: str) -> list[int]:
    return [hit.number for hit in search.index().find(search.parse(f"{text} kind:practice"), limit=9)]


def test_draft_is_nowhere_until_it_is_put_up(ada: Member) -> None:
    practice = writing.draft(wanted(tags=["disk"]), author=ada)
    assert (practice.state, found("apart"), Tagged.objects.count()) == (State.DRAFT, [], 0)
    writing.edit(practice, wanted("Keep the data away", tags=["disk", "data"]), editor=ada)
    assert (Revision.objects.count(), Tagged.objects.count(), practice.version) == (0, 0, 1)
    writing.submit(practice)
    assert (practice.state, found("away"), Tagged.objects.count()) == (State.REVIEW, [practice.pk], 2)
    with pytest.raises(ValueError, match="no draft"):
        writing.submit(practice)


def test_practice_is_proven_by_as_many_peers_as_the_site_asks_for(ada: Member, settings: Settings) -> None:
    settings.PRACTICE_APPROVALS = 3
    practice, reviewers = submitted(ada, months=6), peers(3)
    states = [say(practice, reviewer) for reviewer in (reviewers[0], reviewers[0], reviewers[1], reviewers[2])]
    assert states == [State.REVIEW, State.REVIEW, State.REVIEW, State.PROVEN]  # a peer counts once
    assert (practice.approvals, practice.proven, practice.expires) == (3, NOW, datetime(2026, 7, 31, 12, tzinfo=UTC))
    assert Review.objects.get(practice=practice, reviewer=reviewers[0]).html == "<p>because <em>so</em></p>\n"
    with pytest.raises(ValueError, match="takes no review"):
        say(practice, make_member("late"))


def test_objection_asks_for_one_approval_more_and_can_be_taken_back(ada: Member) -> None:
    practice, (first, second, third, fourth) = submitted(ada), peers(4)
    assert say(practice, first, Verdict.OBJECT) == State.REVIEW
    assert [say(practice, peer) for peer in (second, third)] == [State.REVIEW, State.REVIEW]
    assert (practice.approvals, practice.objections) == (2, 1)
    assert say(practice, first) == State.PROVEN
    other = submitted(ada, "Another practice")
    say(other, first, Verdict.OBJECT)
    assert [say(other, peer) for peer in (second, third, fourth)] == [State.REVIEW, State.REVIEW, State.PROVEN]


def test_author_reviews_and_rates_nothing_of_their_own(ada: Member) -> None:
    practice = submitted(ada)
    with pytest.raises(ValueError, match="takes no review"):
        say(practice, ada)
    done = proven(ada, title="Keep it small")
    with pytest.raises(ValueError, match="takes no such rating"):
        rating.rate(done, member=ada, stars=5, reason="because it is mine")


def test_change_by_the_author_is_reviewed_anew(ada: Member, moderator: Member) -> None:
    practice = proven(ada)
    writing.edit(practice, wanted(tags=["disk"]), editor=ada)  # tags are not what was judged
    assert practice.state == State.PROVEN
    writing.edit(practice, wanted("Keep the data apart!"), editor=moderator, reason="a sign")
    assert (practice.state, practice.version) == (State.PROVEN, 2)
    writing.edit(practice, wanted("Keep the data together"), editor=ada)
    assert (practice.state, practice.round, practice.approvals, practice.expires) == (State.REVIEW, 2, 0, None)
    old = Review.objects.filter(practice=practice, round=1)
    assert old.count() == 2
    assert say(practice, old[0].reviewer) == State.REVIEW
    assert say(practice, old[1].reviewer) == State.PROVEN
    assert Revision.objects.filter(kind=kinds.PRACTICE, number=practice.pk).count() == 3


def test_proven_practice_is_told_once_to_those_who_follow(ada: Member, bob: Member) -> None:
    practice = submitted(ada, tags=["disk"])
    following.set_level(bob, following.TAG, Tagged.objects.get().tag_id, 1)
    for peer in peers(2):
        say(practice, peer)
    for _ in range(2):  # as after a worker that died
        tasks.announce.call(practice.pk)
    told = Notification.objects.order_by("member__handle", "reason").values_list("member__handle", "reason", "count")
    assert list(told) == [("ada", 9, 2), ("bob", 6, 1), ("peer-0", 6, 1), ("peer-1", 6, 1)]


def test_expiry_asks_the_author_once_and_renewing_ends_it(ada: Member, moderator: Member) -> None:
    practice = proven(ada, months=12)
    before, after = datetime(2027, 1, 31, 11, tzinfo=UTC), datetime(2027, 1, 31, 13, tzinfo=UTC)
    assert [tasks.end_all(now=moment) for moment in (before, after, after)] == [0, 1, 0]
    asked = Notification.objects.filter(reason=10)
    assert list(asked.values_list("member__handle", "count")) == [("ada", 1)]
    assert asked.get().actor is None
    practice.refresh_from_db()
    assert (practice.state, practice.proven) == (State.EXPIRED, NOW)
    proving.renew(practice, actor=ada, now=after)
    assert (practice.state, practice.expires) == (State.PROVEN, datetime(2028, 1, 31, 13, tzinfo=UTC))
    assert tasks.end_all(now=after) == 0
    assert AuditEntry.objects.count() == 0
    proving.renew(practice, actor=moderator)
    assert AuditEntry.objects.get().action == "practice.renew"
    with pytest.raises(ValueError, match="was not proven"):
        proving.renew(submitted(ada), actor=ada)


def test_expiry_comes_back_by_itself(ada: Member) -> None:
    practice = proven(ada)
    Practice.objects.filter(pk=practice.pk).update(expires=timezone.now() - timedelta(hours=1))
    assert "practices.expire" in schedule.put_due(now=timezone.now())
    assert tasks.expire.call() == 1


@pytest.mark.parametrize(
    ("moment", "months", "wanted_"),
    [
        (datetime(2026, 1, 31, tzinfo=UTC), 1, datetime(2026, 2, 28, tzinfo=UTC)),
        (datetime(2027, 12, 31, tzinfo=UTC), 2, datetime(2028, 2, 29, tzinfo=UTC)),
        (datetime(2026, 12, 1, tzinfo=UTC), 12, datetime(2027, 12, 1, tzinfo=UTC)),
        (datetime(2026, 6, 30, tzinfo=UTC), 6, datetime(2026, 12, 30, tzinfo=UTC)),
    ],
)
def test_months_later_is_the_same_day_or_the_last(moment: datetime, months: int, wanted_: datetime) -> None:
    assert proving.later(moment, months=months) == wanted_


def test_ratings_count_once_for_each_member_and_not_when_hidden(ada: Member, bob: Member, moderator: Member) -> None:
    practice, cleo = proven(ada), make_member("cleo")
    for member, stars in ((bob, 1), (cleo, 5), (bob, 4)):
        rating.rate(practice, member=member, stars=stars, reason="it helped us")
    assert (practice.ratings, practice.stars, practice.average) == (2, 9, 4.5)
    for stars in (0, 6):
        with pytest.raises(ValueError, match="takes no such rating"):
            rating.rate(practice, member=bob, stars=stars, reason="it helped us")
    rating.set_hidden(Rating.objects.get(member=cleo), True, actor=moderator)
    practice.refresh_from_db()
    assert (practice.ratings, practice.stars) == (1, 4)
    assert AuditEntry.objects.get().subject == cleo


@given(st.integers(0, 500), st.integers(1, 5))
def test_score_is_drawn_to_the_middle_and_grows_with_stars(ratings: int, stars: int) -> None:
    made = rating.score(ratings=ratings, stars=ratings * stars)
    low, high = sorted((rating.MIDDLE, stars))
    assert low * rating.UNIT <= made <= high * rating.UNIT
    assert rating.score(ratings=ratings, stars=ratings * stars + 1) >= made


def test_hidden_practice_is_in_no_list_and_comes_back(ada: Member, bob: Member, moderator: Member) -> None:
    practice = proven(ada, tags=["disk"])
    comments.write(kinds.PRACTICE, practice.pk, author=bob, source="zebra")
    case = moderation.flag(kinds.PRACTICE, practice.pk, member=bob, reason=FlagReason.UNSAFE)
    moderation.decide(case, Outcome.HIDDEN, moderator=moderator)
    assert (found("apart"), Tagged.objects.count()) == ([], 0)
    Practice.objects.filter(pk=practice.pk).update(expires=NOW)
    assert tasks.end_all(now=timezone.now()) == 1
    assert Notification.objects.filter(reason=10).count() == 0  # what is hidden cannot be renewed
    case.refresh_from_db()
    moderation.undo(case, moderator=moderator)
    assert (found("apart"), Tagged.objects.count()) == ([practice.pk], 1)


@pytest.mark.django_db(transaction=True)
def test_peers_who_approve_at_once_prove_it_once(tmp_path: Path) -> None:
    with arena(tmp_path) as at_once:
        practice, reviewers = submitted(make_member("ada")), peers(6)

        def approve(reviewer: Member) -> object:
            return say(Practice.objects.get(pk=practice.pk), reviewer)

        results = at_once([lambda reviewer=reviewer: approve(reviewer) for reviewer in reviewers])  # type: ignore[misc]
        practice.refresh_from_db()
        assert (practice.state, practice.approvals) == (State.PROVEN, 2)
        assert Review.objects.count() == 2
        assert sum(isinstance(result, ValueError) for result in results) == 4


@pytest.mark.django_db(transaction=True)
def test_workers_that_end_it_at_once_ask_once(tmp_path: Path) -> None:
    with arena(tmp_path) as at_once:
        practice = proven(make_member("ada"))
        Practice.objects.filter(pk=practice.pk).update(expires=NOW)
        results = at_once([lambda: tasks.end_all(now=timezone.now())] * 4)
        assert sorted(results, key=str) == [0, 0, 0, 1]
        assert Notification.objects.filter(reason=10).values_list("count", flat=True)[0] == 1


@pytest.mark.django_db(transaction=True)
def test_ratings_given_at_once_are_all_counted(tmp_path: Path) -> None:
    with arena(tmp_path) as at_once:
        practice = proven(make_member("ada"))
        members = [make_member(f"member-{number}", role=Role.MEMBER) for number in range(5)]

        def rate(member: Member) -> None:
            rating.rate(Practice.objects.get(pk=practice.pk), member=member, stars=4, reason="it helped us")

        results = at_once([lambda member=member: rate(member) for member in [*members, *members]])  # type: ignore[misc]
        assert results == [None] * 10
        practice.refresh_from_db()
        assert (practice.ratings, practice.stars, Rating.objects.count()) == (5, 20, 5)
