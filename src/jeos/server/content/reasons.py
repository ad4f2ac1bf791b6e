"""Why the site itself wants a moderator to look: kept in English, and said in the language of who reads."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

LINK = "a link to a blocked domain"
AGAIN = "the same text was written before"
WORD = "a blocked word: {detail}"
CHANGED = "a change brought in a blocked word: {detail}"
CHANNEL_ALONE = "a new member's appliance, known by its channel alone"
NEW = {
    "thread": "a new member's thread",
    "post": "a new member's post",
    "comment": "a new member's comment",
    "idea": "a new member's idea",
    "page": "a new member's page",
    "practice": "a new member's practice",
    "review": "a new member's review",
    "appliance": "a new member's appliance",
}
SAID = (  # each of the above once more, for those who translate
    _("a link to a blocked domain"),
    _("the same text was written before"),
    _("a blocked word: {detail}"),
    _("a change brought in a blocked word: {detail}"),
    _("a new member's appliance, known by its channel alone"),
    _("a new member's thread"),
    _("a new member's post"),
    _("a new member's comment"),
    _("a new member's idea"),
    _("a new member's page"),
    _("a new member's practice"),
    _("a new member's review"),
    _("a new member's appliance"),
)


@dataclass(frozen=True)
class Why:
    """A reason; `detail` is what it is about, as the word."""

    note: str
    detail: str = ""


def said(note: str, detail: str) -> str:
    """Return a reason in the language that is spoken at present."""
    return gettext(note).replace("{detail}", detail)
