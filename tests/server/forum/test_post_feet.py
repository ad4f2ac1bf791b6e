"""The foot of a post is the same, whether it was made for that post or put together from one that was made before."""

import pytest
from django.template import engines
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content.reactions import SIGNS
from jeos.server.forum import posting, queries, reacting, templating
from jeos.server.forum.models import Category, Post, Thread, thread_url
from jeos.server.forum.rights import May

pytestmark = pytest.mark.django_db


@pytest.fixture
def thread(ada: Member, bob: Member, category: Category) -> Thread:
    now = timezone.now()
    thread = posting.start(category, author=ada, title="Some words", source="x", now=now)
    for author in (bob, ada, bob, ada):
        posting.reply(thread, category, author=author, source="y", now=now)
    return Thread.objects.get(pk=thread.pk)


@pytest.mark.parametrize("moderates", [False, True])
@pytest.mark.parametrize("who", ["ada", "bob", "nobody"])
def test_feet_of_all_posts_are_what_the_macro_makes_of_each(
    who: str, moderates: bool, thread: Thread, category: Category, ada: Member, bob: Member
) -> None:
    member = {"ada": ada, "bob": bob}.get(who)
    last = Post.objects.get(thread=thread, number=5)
    reacting.react(last, thread, bob, next(iter(SIGNS)))
    may = May(reply=member is not None, solve=who == "ada", moderate=moderates, answer=4, starter=ada.pk)
    words = templating.post_words(category)
    macro = engines["jinja2"].env.get_template("forum/post.html").module.post_foot  # type: ignore[attr-defined]
    foot = templating.feet(macro, thread, member, may, words, "<input>")
    for post in queries.posts_of(thread, 1, member):
        kind = (member is not None and post.author.number == member.pk, post.number == 1, post.number == 4)
        address = thread_url(thread.pk, thread.slug, number=post.number)
        assert foot(post) == macro(post, *kind, address, thread, member, may, words, "<input>")
