"""Answering a piece of content with a text alone, as by mail: by the rights, limits and services of the page.

address = answers.answer(kinds.THREAD, 12, member, "That works.")
"""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from jeos.server.accounts.models import Member
from jeos.server.content import comments, kinds, limits, trust
from jeos.server.content.forms import TextField


class Refused(Exception):  # noqa: N818 - its text is for the member
    """An answer is not taken; the text says why, in the language of the moment."""


def takes(kind: int) -> bool:
    """Tell whether content of a kind is answered by a text."""
    known = kinds.find(kind)
    return known is not None and (known.answer is not None or known.count_comments is not None)


def answer(kind: int, number: int, member: Member, source: str) -> str:
    """Write an answer and return its address. Raises Refused."""
    known = kinds.find(kind)
    if known is None or not trust.may_write(member, now=timezone.now()):
        raise Refused(_("You cannot write at present."))
    try:
        text = TextField().clean(source)
    except ValidationError as error:
        raise Refused(" ".join(error.messages)) from None
    try:
        if known.answer is not None:
            return known.answer(number, member, text)
        return _comment(kind, number, member, text)
    except limits.TooOften:
        raise Refused(_("You wrote as often as is allowed. Try again later.")) from None


def _comment(kind: int, number: int, member: Member, source: str) -> str:
    card = next(iter(kinds.cards([(kind, number)], member=member)), None)
    if card is None or not takes(kind):
        raise Refused(_("It is there no longer, or you may not read it any more."))
    limits.use("post", member=member)
    return comments.place(comments.write(kind, number, author=member, source=source), card.url)
