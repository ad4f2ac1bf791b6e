"""Reactions: a few signs that say thank you, or what an answer did for the reader, without a post."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts.models import Member
from jeos.server.content.models import Reaction


@dataclass(frozen=True)
class Sign:
    """A reaction: its number in rows, its picture in the sprite, its word."""

    number: int
    icon: str
    label: str | Promise


THANKS, WORKS, AGREE, FUNNY = 1, 2, 3, 4
SIGNS = {
    sign.number: sign
    for sign in (
        Sign(THANKS, "heart", _("Thank you")),
        Sign(WORKS, "check", _("Worked for me")),
        Sign(AGREE, "thumb", _("Agreed")),
        Sign(FUNNY, "smile", _("Made me smile")),
    )
}
NAMES = {THANKS: "thanks", WORKS: "works", AGREE: "agree", FUNNY: "funny"}  # by which programs know them


@transaction.atomic
def change(member: Member, kind: int, number: int, sign: int, *, wanted: bool | None = None) -> int:
    """Add a member's reaction or take it back; return by how much the count changed.

    Without `wanted`, it is added where it is not and taken back where it is. Raises KeyError for no sign.
    """
    chosen = SIGNS[sign].number
    if (
        wanted is not True
        and (Reaction.objects.filter(member=member, kind=kind, number=number, sign=chosen).delete()[0])
    ):
        return -1
    if wanted is False:
        return 0
    _row, made = Reaction.objects.get_or_create(member=member, kind=kind, number=number, sign=chosen)
    return int(made)


def own(member: Member, kind: int, numbers: Sequence[int]) -> dict[int, set[int]]:
    """Return a member's signs on things of one kind, by their numbers."""
    rows = Reaction.objects.filter(kind=kind, member=member, number__in=numbers)
    found: dict[int, set[int]] = {}
    for number, sign in rows.values_list("number", "sign"):
        found.setdefault(number, set()).add(sign)
    return found
