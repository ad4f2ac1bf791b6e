"""What many do at once with an event: nothing is counted twice, nothing is lost."""

from pathlib import Path

import pytest

from jeos.server.events import attending, scheduling, topics
from jeos.server.events.models import Rating, Release, Session, Star, Topic
from server_events import gather, make_event, on_schedule
from server_race import arena
from server_site import make_member

pytestmark = pytest.mark.django_db(transaction=True)


def test_session_that_many_choose_and_rate_at_once_counts_each_once(tmp_path: Path) -> None:
    with arena(tmp_path) as at_once:
        crowd = gather()
        session = on_schedule(make_event(crowd), crowd)
        members = [make_member(f"member-{number}") for number in range(5)]
        twice = [*members, *members]
        chosen = at_once([lambda m=m: attending.star(session, m, wanted=True) for m in twice])  # type: ignore[misc]
        assert (chosen.count(True), chosen.count(False)) == (5, 5)
        at_once([lambda m=m: attending.rate(session, m, stars=4, words="") for m in twice])  # type: ignore[misc]
        row = Session.objects.get(pk=session.pk)
        assert (
            (row.starred, row.ratings, row.points) == (5, 5, 20) == (Star.objects.count(), Rating.objects.count(), 20)
        )
        gone = at_once([lambda m=m: attending.star(session, m, wanted=False) for m in twice])  # type: ignore[misc]
        assert (gone.count(True), gone.count(False)) == (5, 5)
        assert Session.objects.get(pk=session.pk).starred == 0


def test_topic_that_many_vote_for_at_once_counts_each_once(tmp_path: Path) -> None:
    with arena(tmp_path) as at_once:
        crowd = gather()
        topic = topics.suggest(make_event(crowd), author=crowd.members["speaker"], title="Some topic")
        members = [make_member(f"member-{number}") for number in range(5)]
        voted = at_once([lambda m=m: topics.vote(topic, m, wanted=True) for m in [*members, *members]])  # type: ignore[misc]
        assert (voted.count(True), voted.count(False)) == (5, 5)
        assert Topic.objects.get(pk=topic.pk).votes == 6


def test_schedules_that_are_released_at_once_are_versions_one_after_the_other(tmp_path: Path) -> None:
    with arena(tmp_path) as at_once:
        crowd = gather()
        event = make_event(crowd)
        on_schedule(event, crowd)
        results = at_once([lambda: scheduling.release(event, by=crowd.members["organiser"]) for _ in range(4)])
        assert [type(result) for result in results] == [Release] * 4
        assert sorted(Release.objects.values_list("number", flat=True)) == [1, 2, 3, 4, 5]
        event.refresh_from_db()
        assert event.version == 5
