"""Texts held for a moderator: the same in many places, whoever wrote it first, and links to blocked domains."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jeos.server.accounts import blocking
from jeos.server.accounts.models import Member, Trust
from jeos.server.blog import posting as blogging
from jeos.server.blog.posting import Writing
from jeos.server.content import comments, kinds, limits, repeats
from jeos.server.content.models import Allowance, Case, Flag
from jeos.server.forum import posting
from jeos.server.forum.models import Category, Thread
from jeos.server.ideas import suggesting
from jeos.server.wiki import writing as wiki

pytestmark = pytest.mark.django_db
TEXT = "Buy the **best** appliances for your cellar, today only, from us and nobody else: cheap, quick, quiet!"


@pytest.mark.parametrize(
    ("second", "same"),
    [
        *((TEXT, True), (TEXT.upper().replace(" ", "\n\n- "), True), (TEXT.replace("**", ""), True)),
        *((TEXT.replace("cellar", "attic"), False), ("Thank you!", False)),
    ],
)
def test_text_is_the_same_by_its_letters(ada: Member, bob: Member, second: str, same: bool) -> None:
    assert (repeats.again(ada, TEXT), repeats.again(bob, second)) == (False, same)


def test_who_is_known_may_repeat_and_days_later_everybody(ada: Member, moderator: Member) -> None:
    ada.trust = Trust.KNOWN
    assert [repeats.again(one, TEXT) for one in (ada, ada, moderator, moderator)] == [False] * 4
    ada.trust = Trust.BASIC
    assert [repeats.again(ada, TEXT, now=now) for now in (0, 1, repeats.SPAN, repeats.SPAN + 1)] == [
        *(False, True, False, True)
    ]
    assert limits.prune(now=repeats.SPAN * 9) == Allowance.objects.count() + 2 == 2


def test_short_answers_are_often_the_same(ada: Member) -> None:
    assert [repeats.again(ada, "a" * (repeats.SHORTEST - 1)) for _ in range(3)] == [False] * 3
    assert [repeats.again(ada, "a" * repeats.SHORTEST) for _ in range(2)] == [False, True]


def test_every_place_holds_a_text_that_was_written_before(
    ada: Member, bob: Member, thread: Thread, category: Category
) -> None:
    now = timezone.now() - timedelta(minutes=1)
    first = posting.reply(thread, category, author=ada, source=TEXT)
    idea = suggesting.post(author=ada, title="An idea of its own", source="Words")
    hidden = [
        posting.reply(thread, category, author=ada, source=TEXT).hidden,
        posting.start(category, author=bob, title="Look here", source=TEXT).hidden,
        suggesting.post(author=bob, title="Look here", source=TEXT).hidden,
        wiki.create(title="Look here", source=TEXT, author=bob).hidden,
        comments.write(kinds.IDEA, idea.pk, author=bob, source=TEXT).hidden,
    ]
    blog = blogging.begin(bob, Writing(title="Look here", source=TEXT))
    blogging.publish(blog, now=now)
    blog.refresh_from_db()
    assert (first.hidden, [*hidden, blog.hidden]) == (False, [True] * 6)
    assert set(Flag.objects.values_list("note", flat=True)) == {"the same text was written before"}
    assert Case.objects.count() == 6


@pytest.mark.parametrize(
    ("source", "waits"),
    [
        *(("See https://spam.example/x", True), ("[x](http://shop.SPAM.example)", True)),
        *(("<https://a:b@spam.example./>", True), ("[x](//spam.example/)", True)),
        *(("https://nospam.example/", False), ("https://spam.example.org/", False), ("spam.example is bad", False)),
    ],
)
def test_link_to_a_blocked_domain_waits(
    ada: Member, moderator: Member, thread: Thread, category: Category, source: str, waits: bool
) -> None:
    blocking.change("blocked", added=["spam.example"])
    ada.trust = Trust.REGULAR
    assert posting.reply(thread, category, author=ada, source=source).hidden is waits
    assert not posting.reply(thread, category, author=moderator, source=source).hidden
    assert Flag.objects.filter(note="a link to a blocked domain").count() == waits


@pytest.fixture
def thread(ada: Member, category: Category) -> Thread:
    return posting.start(category, author=ada, title="Its own", source="Words")
