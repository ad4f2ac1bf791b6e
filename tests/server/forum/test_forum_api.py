"""The small moves on threads and posts by the API: reactions, the answer, votes, following."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import following, reactions
from jeos.server.content.models import Notification, Reason
from jeos.server.forum import moderating, polls, posting
from jeos.server.forum.models import Category, Poll, Post, Thread
from server_program import Program, programs

pytestmark = pytest.mark.django_db


@pytest.fixture
def thread(category: Category, ada: Member, bob: Member) -> Thread:
    made = posting.start(category, author=ada, title="Which window", source="?")
    posting.reply(made, category, author=bob, source="The third.")
    return made


@pytest.fixture
def options(thread: Thread) -> list[int]:
    held = polls.make(thread, question="When?", options=["a", "b", "c"], choices=1, closes=None)
    return [option.pk for option in held.options.all()]


def post_of(thread: Thread, place: int) -> int:
    return Post.objects.get(thread=thread, number=place).pk


@pytest.mark.parametrize(
    ("method", "path", "value", "expected"),
    [
        ("PUT", "/posts/{reply}/reactions/thanks", None, [401, 401, 403, 403, 200, 200]),
        ("PUT", "/posts/{first}/reactions/thanks", None, [401, 401, 403, 200, 403, 200]),
        ("PUT", "/posts/{reply}/reactions/hate", None, [401, 401, 403, 404, 404, 404]),
        ("PUT", "/posts/{hidden}/reactions/works", None, [401, 401, 403, 404, 403, 200]),
        ("DELETE", "/posts/{first}/reactions/thanks", None, [401, 401, 403, 200, 403, 200]),
        ("PUT", "/threads/{thread}/answer", {"place": 2}, [401, 401, 403, 403, 200, 200]),
        ("PUT", "/threads/{thread}/answer", {"place": 9}, [401, 401, 403, 403, 422, 422]),
        ("PUT", "/threads/{thread}/answer", {"place": 1}, [401, 401, 403, 422, 422, 422]),
        ("PUT", "/threads/{secret}/answer", {"place": 2}, [401, 401, 403, 404, 404, 403]),
        ("DELETE", "/threads/{thread}/answer", None, [401, 401, 403, 403, 200, 200]),
        ("GET", "/threads/{thread}/poll", None, [200, 200, 200, 200, 200, 200]),
        ("GET", "/threads/{secret}/poll", None, [404, 404, 404, 404, 404, 404]),
        ("PUT", "/threads/{thread}/poll/choice", {"options": ["{option}"]}, [401, 401, 403, 200, 200, 200]),
        ("PUT", "/threads/{thread}/poll/choice", {"options": [999]}, [401, 401, 403, 422, 422, 422]),
        ("PUT", "/threads/{secret}/poll/choice", {"options": []}, [401, 401, 403, 404, 404, 404]),
        ("PUT", "/categories/building/following", {"level": "muted"}, [401, 401, 403, 200, 200, 200]),
        ("PUT", "/categories/team/following", {"level": "muted"}, [401, 401, 403, 404, 404, 200]),
    ],
)
def test_each_caller_may_do_what_the_pages_let_him(
    thread: Thread,
    options: list[int],
    team_room: Category,
    category: Category,
    ada: Member,
    bob: Member,
    moderator: Member,
    method: str,
    path: str,
    value: Any,
    expected: list[int],
) -> None:
    secret = posting.start(team_room, author=moderator, title="For us alone", source="Secret.")
    hidden = posting.reply(thread, category, author=ada, source="Rude.")
    moderating.set_post_hidden(hidden.pk, True)
    numbers = {
        "thread": thread.pk,
        "secret": secret.pk,
        "first": post_of(thread, 1),
        "reply": post_of(thread, 2),
        "hidden": hidden.pk,
    }
    if value is not None and value.get("options") == ["{option}"]:
        value = {"options": options[:1]}
    answers = [
        program.call(method, path.format(**numbers), value)[0]
        for program in programs(author=ada, other=bob, moderator=moderator).values()
    ]
    assert answers == expected


def test_reaction_is_added_once_and_taken_back_once(thread: Thread, ada: Member, bob: Member) -> None:
    number, program = post_of(thread, 2), Program(ada)
    for _ in range(2):
        assert program.call("PUT", f"/posts/{number}/reactions/works")[1]["reactions"] == {"works": 1}
    assert Member.objects.get(pk=bob.pk).thanks == 1
    assert Notification.objects.get(member=bob, reason=Reason.REACTION).count == 1
    for _ in range(2):
        assert program.call("DELETE", f"/posts/{number}/reactions/works")[1]["reactions"] == {}
    assert Member.objects.get(pk=bob.pk).thanks == 0
    assert {sign.number for sign in reactions.SIGNS.values()} == set(reactions.NAMES)


def test_answer_is_told_to_its_author_once(thread: Thread, ada: Member, bob: Member) -> None:
    program = Program(ada)
    for _ in range(2):
        status, shown = program.call("PUT", f"/threads/{thread.pk}/answer", {"place": 2})
        assert (status, shown["solved_by"]) == (200, 2)
    assert Notification.objects.get(member=bob, reason=Reason.SOLVED).count == 1
    assert program.call("DELETE", f"/threads/{thread.pk}/answer")[1]["solved_by"] is None


def test_vote_is_set_changed_and_taken_back(thread: Thread, options: list[int], bob: Member) -> None:
    program = Program(bob)
    for chosen in (options[:1], options[2:], []):
        status, shown = program.call("PUT", f"/threads/{thread.pk}/poll/choice", {"options": chosen})
        assert (status, shown["voters"]) == (200, len(chosen))
        assert [one["number"] for one in shown["options"] if one["chosen"]] == chosen
    status, problem = program.call("PUT", f"/threads/{thread.pk}/poll/choice", {"options": options[:2]})
    assert (status, problem["errors"][0]["where"]) == (422, "options")
    Poll.objects.update(closes=timezone.now() - timedelta(seconds=1))
    assert program.call("PUT", f"/threads/{thread.pk}/poll/choice", {"options": options[:1]})[0] == 422
    assert Program().call("GET", f"/threads/{thread.pk}/poll")[1]["open"] is False


def test_following_of_a_category_is_that_of_its_page(category: Category, ada: Member) -> None:
    program = Program(ada)
    for level, number in (("followed", 1), ("muted", -1), ("neither", 0)):
        assert program.call("PUT", "/categories/building/following", {"level": level})[1] == {"level": level}
        assert following.level(ada, following.CATEGORY, category.pk) == number
