"""Posts, and the lines of lists, put together from HTML that the templates made before.

A page has 50 posts or 30 lines that differ in little. Their template makes one of each shape, with marks for what
differs; the rest are that HTML with the marks filled in. What is filled in is escaped and never looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple

from django.utils import translation
from markupsafe import Markup, escape

from jeos.server.accounts.models import Member
from jeos.server.forum.models import Thread, thread_url
from jeos.server.forum.queries import Line, Shown
from jeos.server.forum.rights import May
from jeos.server.marks import avatar

if TYPE_CHECKING:
    from jeos.server.forum.templating import ListWords, PostWords

Macro = Callable[..., Markup]

# Unicode keeps these from ever being characters of a text (The Unicode Standard, section 23.7).
MARKS = {
    name: Markup(chr(0xFDD0 + place))  # noqa: S704
    for place, name in enumerate(
        ("pk", "number", "address", "html", "face", "handle", "name", "when", "reply_to", "answered")
    )
}
ALIKE = ("hidden", "edited", "reactions", "own_signs", "bookmarked")  # in all posts of a shape, as far as they show it
KEPT = 2_048  # lines of lists that a process keeps


class Kind(NamedTuple):
    """How a post stands to its reader and its thread."""

    own: bool
    first: bool
    answer: bool
    starter: bool  # another post of who began the thread


def _fillable(made: Markup) -> str:
    """Return HTML with marks as a format, into which `%` puts values by the marks' names."""
    text = str(made).replace("%", "%%")
    for name, mark in MARKS.items():
        text = text.replace(mark, f"%({name})s")
    return text


def posts_by(
    article: Macro, foot: Macro, thread: Thread, member: Member | None, may: May, words: PostWords, token: str
) -> Callable[[Iterable[Shown], int, Markup], Markup]:
    """Return what makes the posts of a page, each with the foot in which reactions and buttons are.

    It takes the posts, and the number of one above which something else is put.
    """
    shapes: dict[Hashable, str] = {}
    reader = member.pk if member is not None else 0

    def make(post: Shown | SimpleNamespace, kind: Kind, address: str, answered: str, face: str, when: str) -> Markup:
        below = foot(post, kind.own, kind.first, kind.answer, address, thread, member, may, words, token)
        return article(post, kind.answer, kind.starter, address, answered, face, when, below, member, may, words)

    def shown(post: Shown) -> str:
        number, author = post.number, post.author
        kind = Kind(
            own=author.number == reader,
            first=number == 1,
            answer=number == may.answer,
            starter=number > 1 and author.number == may.starter,
        )
        address = thread_url(thread.pk, thread.slug, number=number)
        answered = thread_url(thread.pk, thread.slug, number=post.reply_to) if post.reply_to else ""
        face = avatar(author.handle, author.number, author.picture)
        when = words.ago(post.made)
        if post.hidden:  # few, and most readers see only that there is one
            return make(post, kind, address, answered, face, when)
        key = (
            *(kind, post.bookmarked, post.own_signs, tuple(post.reactions.items()) if post.reactions else ()),
            *(author.left, not author.name, not author.role, not answered, post.edited is None),
        )
        shape = shapes.get(key)
        if shape is None:
            made = make(_model_of(post), kind, MARKS["address"], MARKS["answered"], MARKS["face"], MARKS["when"])
            shape = shapes[key] = _fillable(made)
        values = {
            "pk": post.pk,
            "number": number,
            "address": address,
            "html": post.html,
            "face": face,
            "handle": author.handle if author.handle.isalnum() else escape(author.handle),
            "name": escape(author.name) if author.name else "",
            "when": when,
            "reply_to": post.reply_to,
            "answered": answered,
        }
        return shape % values  # numbers, addresses that are made of numbers and slugs, HTML that was made or escaped

    def page(posts: Iterable[Shown], at: int, above: Markup) -> Markup:
        parts = [f"{above}{shown(post)}" if post.number == at else shown(post) for post in posts]
        return Markup("\n".join(parts))  # noqa: S704

    return page


def _model_of(post: Shown) -> SimpleNamespace:
    """Return a post with marks for what the others of its shape differ in."""
    author = post.author
    model = SimpleNamespace(**MARKS, **{name: getattr(post, name) for name in ALIKE})
    name = MARKS["name"] if author.name else ""
    model.author = author._replace(handle=MARKS["handle"], name=name)
    model.reply_to = MARKS["reply_to"] if post.reply_to else None
    return model


_lines: dict[Hashable, tuple[str, str]] = {}


def lines_by(macro: Macro, words: ListWords, *, show_category: bool = True) -> Callable[[Line], Markup]:
    """Return what makes a line of a list of threads; it is kept under all that it shows but for the time."""
    language = translation.get_language()

    def shown(line: Line) -> Markup:
        category = line.category
        key = (line.thread, line.mark, category.hue, category.slug, category.name, language, show_category)
        parts = _lines.get(key)
        if parts is None:
            made = str(macro(line, words, MARKS["when"], show_category))
            before, _, after = made.rpartition(MARKS["when"])
            if len(_lines) >= KEPT:
                _lines.clear()
            parts = _lines[key] = (before, after)
        return Markup(f"{parts[0]}{words.ago(line.thread.last_at)}{parts[1]}")  # noqa: S704 - the template made it

    return shown
