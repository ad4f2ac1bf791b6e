"""Polls: choices, counts, limits."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.forum import polls, posting
from jeos.server.forum.models import Category, Poll, Thread, Vote

pytestmark = pytest.mark.django_db


@pytest.fixture
def thread(ada: Member, category: Category) -> Thread:
    return posting.start(category, author=ada, title="Which window", source="?")


def make(thread: Thread, **options: object) -> Poll:
    wanted = {"question": "When?", "options": ["a", "b", "b", " c "], "choices": 1, "closes": None, **options}
    return polls.make(thread, **wanted)  # type: ignore[arg-type]


def counts(poll: Poll) -> tuple[int, list[int]]:
    return Poll.objects.get(pk=poll.pk).voters, [option.votes for option in poll.options.all()]


def test_vote_is_counted_changed_and_taken_back(thread: Thread, ada: Member, bob: Member) -> None:
    poll, now = make(thread), timezone.now()
    a, _b, c = (option.pk for option in poll.options.all())
    polls.vote(poll, ada, [a], now=now)
    polls.vote(poll, bob, [a], now=now)
    assert counts(poll) == (2, [2, 0, 0])
    polls.vote(poll, bob, [c], now=now)
    polls.vote(poll, bob, [c], now=now)
    assert counts(poll) == (2, [1, 0, 1])
    polls.vote(poll, ada, [], now=now)
    assert counts(poll) == (1, [0, 0, 1])
    shown = polls.of(thread, bob, now=now)
    assert shown is not None
    assert (shown.chosen, [shown.percent(option) for option in shown.options]) == ({c}, [0, 0, 100])


def test_more_than_is_allowed_or_another_polls_option_is_refused(
    thread: Thread, ada: Member, bob: Member, category: Category
) -> None:
    poll, now = make(thread, choices=2), timezone.now()
    other = make(posting.start(category, author=ada, title="Other window", source="?"))
    numbers = [option.pk for option in poll.options.all()]
    for chosen in (numbers, [other.options.all()[0].pk], [0]):
        with pytest.raises(ValueError, match=r"can be chosen|no such option"):
            polls.vote(poll, bob, chosen, now=now)
    assert Vote.objects.count() == 0


def test_closed_poll_takes_no_votes(thread: Thread, bob: Member) -> None:
    poll = make(thread, closes=timezone.now() - timedelta(seconds=1))
    with pytest.raises(ValueError, match="closed"):
        polls.vote(poll, bob, [poll.options.all()[0].pk], now=timezone.now())


def test_poll_with_one_option_is_none(thread: Thread) -> None:
    with pytest.raises(ValueError, match="two options"):
        make(thread, options=["a", " a", ""])
