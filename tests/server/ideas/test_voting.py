"""Votes: limited for each member, back when an idea is closed, right whoever votes at the same time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from jeos.server.accounts.models import Member
from jeos.server.content import comments, following, kinds, moderation, search
from jeos.server.content.models import AuditEntry, Comment, FlagReason, Notification, Outcome, Tagged
from jeos.server.ideas import answering, suggesting, tasks, voting
from jeos.server.ideas.models import Idea, Status, Vote
from server_race import arena
from server_site import make_member

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def post(author: Member, title: str = "Smaller images please", **options: object) -> Idea:
    return suggesting.post(author=author, title=title, source=f"words of {title}", **options)  # type: ignore[arg-type]


def counted(*ideas: Idea) -> list[int]:
    """Return the votes of ideas, which are as many as there are rows."""
    found = [Idea.objects.get(pk=idea.pk) for idea in ideas]
    assert [idea.votes for idea in found] == [Vote.objects.filter(idea=idea).count() for idea in found]
    return [idea.votes for idea in found]


def test_vote_counts_once_and_is_taken_back(ada: Member, bob: Member, settings: Settings) -> None:
    idea = post(ada)
    assert [voting.vote(idea, bob, wanted=wanted) for wanted in (True, True, False, False, True)] == [
        *(True, False, True, False, True)
    ]
    assert counted(idea) == [1]
    assert (voting.left(bob), voting.left(ada)) == (settings.IDEA_VOTES - 1, settings.IDEA_VOTES)
    assert following.level(bob, kinds.IDEA, idea.pk) == 1


def test_votes_are_limited_and_come_back_when_an_idea_is_closed(
    ada: Member, bob: Member, moderator: Member, settings: Settings
) -> None:
    settings.IDEA_VOTES = 2
    first, second, third = (post(ada, f"Idea number {number}") for number in range(3))
    voting.vote(first, bob, wanted=True)
    voting.vote(second, bob, wanted=True)
    with pytest.raises(voting.NoVotesLeft):
        voting.vote(third, bob, wanted=True)
    assert counted(first, second, third) == [1, 1, 0]
    answering.answer(first, status=Status.PLANNED, source="soon", actor=moderator)
    assert voting.left(bob) == 0
    for status, left in ((Status.DONE, 1), (Status.DECLINED, 1), (Status.OPEN, 0)):
        answering.answer(first, status=status, source="so it is", actor=moderator)
        assert voting.left(bob) == left
    answering.answer(first, status=Status.DONE, source="done", actor=moderator)
    voting.vote(third, bob, wanted=True)
    assert counted(first, second, third) == [1, 1, 1]  # the closed idea keeps its count
    with pytest.raises(ValueError, match="takes no votes"):
        voting.vote(first, ada, wanted=True)


def test_hidden_idea_gives_its_votes_back(ada: Member, bob: Member, moderator: Member, settings: Settings) -> None:
    idea = post(ada)
    voting.vote(idea, bob, wanted=True)
    case = moderation.flag(kinds.IDEA, idea.pk, member=bob, reason=FlagReason.SPAM)
    moderation.decide(case, Outcome.HIDDEN, moderator=moderator)
    assert voting.left(bob) == settings.IDEA_VOTES
    assert search.index().find(search.parse("smaller"), limit=5) == []
    with pytest.raises(ValueError, match="takes no votes"):
        voting.vote(idea, ada, wanted=True)
    case.refresh_from_db()
    moderation.undo(case, moderator=moderator)
    assert voting.left(bob) == settings.IDEA_VOTES - 1
    assert [hit.number for hit in search.index().find(search.parse("smaller"), limit=5)] == [idea.pk]


def test_merge_takes_votes_along_and_nobody_has_voted_twice(ada: Member, bob: Member, moderator: Member) -> None:
    cleo, dora = make_member("cleo"), make_member("dora")
    source, target = post(ada, "Smaller images", tag_names=["size"]), post(bob, "Images that are smaller")
    for idea, voters in ((source, (ada, bob, cleo)), (target, (bob, dora))):
        for member in voters:
            voting.vote(idea, member, wanted=True)
    following.set_level(dora, kinds.IDEA, target.pk, -1)
    following.set_level(dora, kinds.IDEA, source.pk, 1)
    comments.write(kinds.IDEA, source.pk, author=cleo, source="yes")
    comments.write(kinds.IDEA, target.pk, author=cleo, source="please")
    answering.merge(source, target, actor=moderator)
    assert counted(source, target) == [0, 4]
    voted = Vote.objects.filter(idea=target).order_by("member__handle").values_list("member__handle", flat=True)
    assert list(voted) == ["ada", "bob", "cleo", "dora"]
    assert [voting.left(member) for member in (ada, bob, cleo, dora)] == [9, 9, 9, 9]
    assert Idea.objects.get(pk=target.pk).comments == 2 == Comment.objects.filter(number=target.pk).count()
    assert following.level(dora, kinds.IDEA, target.pk) == -1  # what was said about the target stands
    assert following.level(cleo, kinds.IDEA, target.pk) == 1
    assert Tagged.objects.count() == 0
    found = search.index().find(search.parse("smaller kind:idea"), limit=5)
    assert [hit.number for hit in found] == [target.pk]
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["idea.merge"]
    source.refresh_from_db()
    for first, second in ((source, target), (target, source), (target, target)):
        with pytest.raises(ValueError, match="cannot be merged"):
            answering.merge(first, second, actor=moderator)


def test_merge_into_a_closed_idea_gives_the_votes_back(ada: Member, bob: Member, moderator: Member) -> None:
    source, target = post(ada, "Smaller images"), post(ada, "Tiny images")
    voting.vote(source, bob, wanted=True)
    answering.answer(target, status=Status.DONE, source="there", actor=moderator)
    answering.merge(source, target, actor=moderator)
    assert (counted(target), voting.left(bob)) == ([1], 10)


def test_chain_of_merges_leads_to_its_end(ada: Member, moderator: Member) -> None:
    first, second, third = (post(ada, f"Idea number {number}") for number in range(3))
    answering.merge(first, second, actor=moderator)
    answering.merge(second, third, actor=moderator)
    assert [Idea.objects.get(pk=idea.pk).merged_into for idea in (first, second)] == [third, third]


def test_answer_is_told_once_to_those_who_want_it(ada: Member, bob: Member, moderator: Member) -> None:
    cleo, dora, muting = make_member("cleo"), make_member("dora"), make_member("mute")
    idea = post(ada)
    for member in (bob, muting, moderator):
        voting.vote(idea, member, wanted=True)
    following.set_level(cleo, kinds.IDEA, idea.pk, 1)
    following.set_level(muting, kinds.IDEA, idea.pk, -1)
    answering.answer(idea, status=Status.STARTED, source="we *are* at it", actor=moderator)
    for _ in range(2):  # as after a worker that died
        tasks.announce_answer.call(idea.pk)
    told = Notification.objects.filter(reason=8).order_by("member__handle").values_list("member__handle", "count")
    assert list(told) == [("ada", 1), ("bob", 1), ("cleo", 1)]
    answering.answer(idea, status=Status.DONE, source="there", actor=moderator)
    tasks.announce_answer.call(idea.pk)
    assert set(told.all()) == {("ada", 2), ("bob", 2), ("cleo", 2)}
    assert Idea.objects.get(pk=idea.pk).answer_html == "<p>there</p>\n"
    assert dora.unread == 0


@given(st.lists(st.integers(0, 10_000_000), max_size=30), st.integers(0, 10_000_000))
def test_trend_grows_with_each_vote_and_most_with_the_newest(seconds: list[int], another: int) -> None:
    made = NOW - timedelta(days=200)
    votes = [made + timedelta(seconds=second) for second in seconds]
    before = voting.trend(made, votes)
    assert voting.trend(made, [*votes, made + timedelta(seconds=another)]) >= before
    later = [vote + DAY for vote in votes]
    assert voting.trend(made, later) >= before
    assert abs(voting.trend(made + DAY, later) - before - voting.UNIT // 7) <= 2  # only differences of time matter


def test_trend_weighs_a_vote_half_after_a_week() -> None:
    made, week = NOW - timedelta(days=700), timedelta(days=7)
    assert abs(voting.trend(made, [NOW]) - voting.trend(made, [NOW - week] * 2)) <= 2


def test_similar_ideas_are_those_that_share_words(ada: Member, bob: Member) -> None:
    images, console = post(ada, "Smaller images for appliances"), post(ada, "Dark colours for the console")
    hidden = post(ada, "Smaller images and disks")
    answering.set_hidden(hidden.pk, True)
    assert suggesting.similar("images that are much smaller") == [images]
    assert suggesting.similar('console "colours" -images kind:thread') == [console, images]
    assert suggesting.similar("") == suggesting.similar("a to of ( * )") == []


def test_new_idea_is_told_to_those_whom_it_concerns(ada: Member, bob: Member) -> None:
    cleo = make_member("cleo")
    idea = suggesting.post(author=ada, title="Smaller images", source="@bob what do you say", tag_names=["size"])
    tag = Tagged.objects.get(number=idea.pk).tag
    following.set_level(cleo, following.TAG, tag.pk, 1)
    following.set_level(bob, following.TAG, tag.pk, 1)
    for _ in range(2):
        tasks.announce.call(idea.pk)
    told = Notification.objects.order_by("member__handle").values_list("member__handle", "reason", "count")
    assert list(told) == [("bob", 1, 1), ("cleo", 6, 1)]


def test_moderators_log_names_the_answer(ada: Member, moderator: Member) -> None:
    idea = post(ada)
    answering.answer(idea, status=Status.DECLINED, source="no", actor=moderator)
    assert AuditEntry.objects.get().details == {"from": "OPEN", "to": "DECLINED"}


@pytest.mark.django_db(transaction=True)
def test_member_who_votes_many_times_at_once_spends_no_more_than_there_is(tmp_path: Path, settings: Settings) -> None:
    settings.IDEA_VOTES = 3
    with arena(tmp_path) as at_once:
        ada, bob = make_member("ada"), make_member("bob")
        ideas = [post(ada, f"Idea number {number}") for number in range(8)]
        results = at_once([lambda idea=idea: voting.vote(idea, bob, wanted=True) for idea in ideas])  # type: ignore[misc]
        assert results.count(True) == 3
        assert [type(result) for result in results if result is not True] == [voting.NoVotesLeft] * 5
        assert sum(counted(*ideas)) == 3
        assert voting.left(bob) == 0


@pytest.mark.django_db(transaction=True)
def test_many_who_vote_for_one_idea_at_once_are_all_counted_once(tmp_path: Path) -> None:
    with arena(tmp_path) as at_once:
        idea = post(make_member("ada"))
        voters = [make_member(f"voter-{number}") for number in range(6)]
        twice = [*voters, *voters]
        results = at_once([lambda voter=voter: voting.vote(idea, voter, wanted=True) for voter in twice])  # type: ignore[misc]
        assert (results.count(True), results.count(False)) == (6, 6)
        assert counted(idea) == [6]


@pytest.mark.django_db(transaction=True)
def test_votes_while_their_idea_is_merged_are_lost_nowhere(tmp_path: Path) -> None:
    with arena(tmp_path) as at_once:
        ada, moderator = make_member("ada"), make_member("mod", role=1)
        source, target = post(ada, "Smaller images"), post(ada, "Tiny images")
        voters = [make_member(f"voter-{number}") for number in range(5)]
        for voter in voters:
            voting.vote(target, voter, wanted=True)
        calls = [lambda voter=voter: voting.vote(source, voter, wanted=True) for voter in voters]
        results = at_once([*calls, lambda: answering.merge(source, target, actor=moderator)])
        assert results[-1] is None
        assert all(result is True or isinstance(result, ValueError) for result in results[:-1])  # before, or after
        assert counted(source, target) == [0, 5]
        assert all(voting.left(voter) == 9 for voter in voters)
