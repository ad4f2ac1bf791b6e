"""Posts and lines of lists are the same, whether made for themselves or put together from others of their shape."""

import re
from datetime import timedelta

import pytest
from django.template import engines
from django.utils import timezone, translation
from markupsafe import Markup

from jeos.server.accounts.models import Member, Role
from jeos.server.content.reactions import SIGNS
from jeos.server.forum import articles, posting, queries, reacting, templating
from jeos.server.forum.models import Category, Post, Thread, thread_url
from jeos.server.forum.rights import May
from jeos.server.marks import avatar

pytestmark = pytest.mark.django_db

WRITES = "100 % of %(pk)s, %s and {} — \ufdd0\ufdd3 &amp; <b>"


def macro(template: str, name: str) -> articles.Macro:
    return getattr(engines["jinja2"].env.get_template(template).module, name)  # type: ignore[attr-defined, no-any-return]


@pytest.fixture
def thread(ada: Member, bob: Member, category: Category) -> Thread:
    now = timezone.now() - timedelta(days=40)
    carol = Member.objects.create_user("carol", "carol@mail.example", name=WRITES[:60], role=Role.MODERATOR)
    gone = Member.objects.create_user("gone", "gone@mail.example", is_active=False)
    thread = posting.start(category, author=ada, title=WRITES, source=WRITES, now=now)
    for number in range(16):
        author = (bob, ada, carol, gone)[number % 4]
        reply_to = 3 if number in (5, 6, 9) else None
        posting.reply(thread, category, author=author, source=f"{WRITES} {number}", now=now, reply_to=reply_to)
    posts = Post.objects.filter(thread=thread)
    posts.filter(number__in=(7, 8, 12)).update(edited=now)
    posts.filter(number__in=(10, 11)).update(hidden=True)
    for number in (5, 6, 12, 13):
        reacting.react(posts.get(number=number), thread, bob, next(iter(SIGNS)), wanted=True)
    return Thread.objects.get(pk=thread.pk)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("moderates", [False, True])
@pytest.mark.parametrize("who", ["ada", "bob", "nobody"])
def test_posts_of_a_page_are_what_the_macros_make_of_each(
    who: str, moderates: bool, language: str, thread: Thread, category: Category, ada: Member, bob: Member
) -> None:
    member = {"ada": ada, "bob": bob}.get(who)
    may = May(
        reply=member is not None, solve=who == "ada", moderate=moderates, write=who != "bob", answer=4, starter=ada.pk
    )
    article, foot = macro("forum/post.html", "post_article"), macro("forum/post.html", "post_foot")
    with translation.override(language):
        words = templating.post_words(category)
        shown = articles.posts_by(article, foot, thread, member, may, words, "<input>")
        posts = queries.posts_of(thread, 1, member)
        assert len(posts) == 17
        expected = []
        for post in posts:
            address = thread_url(thread.pk, thread.slug, number=post.number)
            answered = thread_url(thread.pk, thread.slug, number=post.reply_to) if post.reply_to else ""
            face = avatar(post.author.handle, post.author.number)
            own, first, answer = post.author.number == (member and member.pk), post.number == 1, post.number == 4
            starter = post.number > 1 and post.author.number == ada.pk
            below = foot(post, own, first, answer, address, thread, member, may, words, "<input>")
            when = words.ago(post.made)
            made = article(post, answer, starter, address, answered, face, when, below, member, may, words)
            assert "<b>" not in re.sub(r"<b>\d+</b>", "", made)  # besides those around the counts of reactions
            expected.append(("<hr>" if post.number == 9 else "") + str(made))
        assert shown(posts, 9, Markup("<hr>")) == "\n".join(expected)


@pytest.mark.parametrize("show_category", [False, True])
def test_lines_of_a_list_are_what_the_macro_makes_of_each(show_category: bool, thread: Thread, bob: Member) -> None:
    now = timezone.now()
    line = macro("forum/threads.html", "thread_line")
    for member in (None, bob):
        found, _ = queries.newest(member, after=None, now=now)
        words = templating.list_words()
        for _ in range(2):  # made, and then kept
            shown = articles.lines_by(line, words, show_category=show_category)
            for one in found:
                made = line(one, words, words.ago(one.thread.last_at), show_category)
                assert shown(one) == made
                assert "%(pk)s, %s and {} — \ufdd0\ufdd3 &amp;amp; &lt;b&gt;" in made


def test_a_line_that_is_kept_shows_what_changed(thread: Thread, bob: Member, category: Category) -> None:
    line = macro("forum/threads.html", "thread_line")

    def seen() -> str:
        found, _ = queries.newest(bob, after=None, now=timezone.now())
        return articles.lines_by(line, templating.list_words())(found[0])

    posting.reply(thread, category, author=bob, source="more")
    assert "17</b> <span>replies" in seen() and "Pinned" not in seen()
    posting.reply(thread, category, author=bob, source="and more")
    Thread.objects.filter(pk=thread.pk).update(pinned=True)
    assert "18</b> <span>replies" in seen() and "Pinned" in seen()


def test_the_newest_are_those_of_the_list_with_the_orm(ada: Member, bob: Member, category: Category) -> None:
    now = timezone.now()
    for number in range(40):
        moment = now - timedelta(minutes=number // 4)  # several at the same one
        made = posting.start(category, author=ada, title=f"Thread {number}", source="x", now=moment)
        Thread.objects.filter(pk=made.pk).update(hidden=number == 7)
    for member in (None, bob):
        after: str | None = None
        for _ in range(2):
            by_hand = queries.newest(member, after=after, now=now)
            assert by_hand == queries.page_of_threads(queries.threads_for(member), member, after=after, now=now)
            after = by_hand[1]
        assert not after
