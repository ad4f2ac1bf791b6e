"""What the forum's templates call: addresses, and words that a page says many times, looked up once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from markupsafe import Markup

from jeos.server import dates
from jeos.server.content.reactions import SIGNS
from jeos.server.forum import articles
from jeos.server.forum.models import Category, thread_url
from jeos.server.marks import icon


@dataclass(frozen=True)
class Shown:
    """A reaction as posts show it: the key of its count, and its button up to the count."""

    number: int
    key: str
    picture: Markup
    label: str
    empty: Markup  # the whole button where nobody has reacted so
    some: Markup
    own: Markup


def _signs() -> tuple[Shown, ...]:
    """Return the reactions as posts show them; all that is alike in 50 posts is made here."""
    button = Markup(
        '<button class="reaction{more}" name="sign" value="{number}" aria-pressed="{pressed}" title="{label}">'
        '{picture}<span class="unseen">{label}</span>'
    )
    made = []
    for sign in SIGNS.values():
        parts = {"number": sign.number, "label": str(sign.label), "picture": icon(sign.icon)}
        made.append(
            Shown(
                number=sign.number,
                key=str(sign.number),
                picture=icon(sign.icon) + Markup('<span class="unseen">{}</span>').format(sign.label),
                label=str(sign.label),
                empty=button.format(more=" empty", pressed="false", **parts) + Markup("</button>"),
                some=button.format(more="", pressed="false", **parts),
                own=button.format(more=" own", pressed="true", **parts),
            )
        )
    return tuple(made)


@dataclass(frozen=True)
class ListWords:
    """What the lines of a list of threads say, and how they tell times."""

    ago: Callable[[datetime], Markup]
    pinned: Markup
    closed: Markup
    solved: Markup
    new: str
    last_by: str
    reply: str
    replies: str


def list_words() -> ListWords:
    """Return the words of a list in the language of the page."""
    return replace(_list_words(translation.get_language()), ago=dates.teller().ago)


@cache
def _list_words(language: str) -> ListWords:
    return ListWords(
        ago=dates.ago,
        pinned=_state("pin", _("Pinned")),
        closed=_state("lock", _("Closed")),
        solved=_state("check", _("Solved"), more=" solved"),
        new=_("new"),
        last_by=_("last reply by"),
        reply=ngettext("reply", "replies", 1),
        replies=ngettext("reply", "replies", 2),
    )


def _state(picture: str, word: str, *, more: str = "") -> Markup:
    shape = Markup('<span class="state{}" title="{}">{}<span class="unseen">{}: </span></span>')
    return shape.format(more, word, icon(picture), word)


@dataclass(frozen=True)
class PostWords:
    """What posts say around their texts, how they tell times, and their reactions."""

    of: tuple[str, bool]  # the language, and whether threads are questions: what the words depend on
    ago: Callable[[datetime], Markup]
    signs: tuple[Shown, ...]
    is_hidden: str
    hidden: str
    former: str
    team: str
    starter: str
    in_reply: str
    edited: str
    link: str
    check: Markup
    solved_it: str
    answer: str
    not_answer: str
    quote: Markup
    edit: Markup
    flag: Markup
    keep: Markup
    kept: Markup


def post_words(category: Category) -> PostWords:
    """Return the words of posts in the language of the page."""
    return replace(_post_words(translation.get_language(), category.solvable), ago=dates.teller().ago)


@cache
def _post_words(language: str, solvable: bool) -> PostWords:
    return PostWords(
        of=(language, solvable),
        ago=dates.ago,
        signs=_signs(),
        is_hidden=_("This post is hidden."),
        hidden=_("Hidden: only moderators and its author see it"),
        former=_("a former member"),
        team=_("team"),
        starter=_("asked") if solvable else _("author"),
        in_reply=_("in reply to"),
        edited=_("edited"),
        link=_("Link to post"),
        check=icon("check"),
        solved_it=_("This answer solved it"),
        answer=_("This is the answer"),
        not_answer=_("Not the answer"),
        quote=icon("reply") + _("Quote"),
        edit=icon("pen") + _("Edit"),
        flag=icon("flag") + _("Flag"),
        keep=icon("bookmark") + _("Keep"),
        kept=icon("bookmark-full") + _("Kept"),
    )


def how_long(seconds: int) -> str:
    """Return a time that one waits, in words: whole minutes from two on, whole hours from two on, rounded up."""
    if seconds < 120 and seconds % 60:
        return ngettext("%(num)s second", "%(num)s seconds", seconds) % {"num": seconds}
    minutes = -(-seconds // 60)
    if minutes < 120:
        return ngettext("%(num)s minute", "%(num)s minutes", minutes) % {"num": minutes}
    hours = -(-minutes // 60)
    return ngettext("%(num)s hour", "%(num)s hours", hours) % {"num": hours}


NAMES: dict[str, object] = {
    "how_long": how_long,
    "thread_url": thread_url,
    "list_words": list_words,
    "post_words": post_words,
    "posts_by": articles.posts_by,
    "lines_by": articles.lines_by,
}
