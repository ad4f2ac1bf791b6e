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

from jeos.server import filled
from jeos.server.accounts.models import Member
from jeos.server.forum.models import Thread, page_of, thread_url
from jeos.server.forum.queries import Line, Shown
from jeos.server.forum.rights import May
from jeos.server.marks import avatar

if TYPE_CHECKING:
    from jeos.server.forum.templating import ListWords, PostWords

Macro = Callable[..., Markup]

DIFFERS = (
    *("pk", "number", "address", "html", "face", "handle", "name", "when", "reply_to", "answered"),
    *("thread", "token"),  # alike in a page, not in the next one
)
MARKS = dict(zip(DIFFERS, filled.marks(len(DIFFERS)), strict=True))
SIGNS = tuple(MARKS.values())
ALIKE = ("hidden", "edited", "reactions", "own_signs", "bookmarked")  # in all posts of a shape, as far as they show it
KEPT = 2_048  # lines of lists that a process keeps, and as many shapes of posts


class Kind(NamedTuple):
    """How a post stands to its reader and its thread."""

    own: bool
    first: bool
    answer: bool
    starter: bool  # another post of who began the thread


def posts_by(
    article: Macro, foot: Macro, thread: Thread, member: Member | None, may: May, words: PostWords, token: str
) -> Callable[[Iterable[Shown], int, Markup], Markup]:
    """Return what makes the posts of a page, each with the foot in which reactions and buttons are.

    It takes the posts, and the number of one above which something else is put.
    """
    reader = member.pk if member is not None else 0
    answer, starter, ago = may.answer, may.starter, words.ago
    may_all = (may.reply, may.solve, may.moderate, may.write)
    of_page = (article, foot, words.of, *may_all, thread.closed, member is None)
    shapes = _shapes.setdefault(of_page, {})
    threads_model = SimpleNamespace(pk=MARKS["thread"], closed=thread.closed)
    page_starts: dict[int, str] = {}
    of_thread, of_form = thread.pk, str(escape(token))

    def address_of(number: int) -> str:
        page = page_of(number)
        start = page_starts.get(page)
        if start is None:
            start = page_starts[page] = f"{thread_url(thread.pk, thread.slug, number=number).rpartition('#')[0]}#p"
        return f"{start}{number}"

    def make(post: Shown, kind: Kind, address: str, answered: str, face: str, when: str) -> Markup:
        below = foot(post, kind.own, kind.first, kind.answer, address, thread, member, may, words, token)
        return article(post, kind.answer, kind.starter, address, answered, face, when, below, member, may, words)

    def shape_of(post: Shown, kind: Kind) -> filled.Shape:
        model = _model_of(post)
        below = foot(
            *(model, kind.own, kind.first, kind.answer, MARKS["address"], threads_model, member, may, words),
            MARKS["token"] if token else "",
        )
        around = (MARKS["address"], MARKS["answered"], MARKS["face"], MARKS["when"])
        made = article(model, kind.answer, kind.starter, *around, below, member, may, words)
        return filled.Shape(made, SIGNS)

    def shown(post: Shown) -> str:
        pk, number, html, made, edited, _version, reply_to, hidden, reactions, author, own_signs, bookmarked = post
        writer, handle, name, role, _trust, left, picture = author
        kind = (writer == reader, number == 1, number == answer, number > 1 and writer == starter)
        address, face, when = address_of(number), avatar(handle, writer, picture), ago(made)
        answered = address_of(reply_to) if reply_to else ""
        if hidden:  # few, and most readers see only that there is one
            return make(post, Kind(*kind), address, answered, face, when)
        # What most posts have none of is one member of the key.
        more = (bookmarked, own_signs, tuple(reactions.items())) if own_signs or reactions else None
        key = (kind, more, left, not name, not role, not answered, edited is None)
        shape = shapes.get(key)
        if shape is None:
            if sum(map(len, list(_shapes.values()))) >= KEPT:
                _shapes.clear()
            shape = shapes[key] = shape_of(post, Kind(*kind))
        shown_handle = handle if handle.isalnum() else escape(handle)
        shown_name = escape(name) if name else ""
        # Numbers, addresses that are made of numbers and slugs, HTML that was made or escaped, in the order of DIFFERS.
        own = (pk, number, address, html, face, shown_handle, shown_name, when, reply_to, answered)
        return shape.fill((*own, of_thread, of_form))

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


_shapes: dict[Hashable, dict[Hashable, filled.Shape]] = {}
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
