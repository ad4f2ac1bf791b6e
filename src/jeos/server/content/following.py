"""Following and muting: of content, and of what holds it (tags, categories)."""

from collections.abc import Iterable

from django.db import connection
from django.utils import timezone

from jeos.server import statements
from jeos.server.accounts.models import Member
from jeos.server.content.models import Bookmark, Following, Level

# Besides kinds of content, members follow what holds content.
TAG, CATEGORY, BLOG = -1, -2, -3  # a blog by the number of its member


def level(member: Member, kind: int, number: int) -> int:
    """Return how much a member wants to hear of something; 0 where nothing was said."""
    row = Following.objects.filter(member=member, kind=kind, number=number).values_list("level", flat=True).first()
    return row or 0


def levels(member: Member, kind: int, numbers: Iterable[int]) -> dict[int, int]:
    """Return the levels of several things of one kind."""
    rows = Following.objects.filter(member=member, kind=kind, number__in=list(numbers))
    return dict(rows.values_list("number", "level"))


def set_level(member: Member, kind: int, number: int, wanted: int) -> None:
    """Follow (1), mute (-1) or neither (0)."""
    if wanted not in (Level.FOLLOWED, Level.MUTED):
        Following.objects.filter(member=member, kind=kind, number=number).delete()
        return
    Following.objects.update_or_create(member=member, kind=kind, number=number, defaults={"level": wanted})


def follow_once(member_id: int, kind: int, number: int) -> None:
    """Follow what one has written in, unless one said something about it already."""
    since = connection.ops.adapt_datetimefield_value(timezone.now())
    statements.write(  # by hand, as each reply does it
        "INSERT INTO content_following (member_id, kind, number, level, since) VALUES (%s, %s, %s, %s, %s) "
        "ON CONFLICT DO NOTHING",
        [member_id, kind, number, Level.FOLLOWED.value, since],
    )


def followers(targets: Iterable[tuple[int, int]]) -> set[int]:
    """Return who follows any of some (kind, number) pairs and has muted none of them."""
    following: set[int] = set()
    muting: set[int] = set()
    for kind, number in targets:
        for member, how in Following.objects.filter(kind=kind, number=number).values_list("member_id", "level"):
            (following if how == Level.FOLLOWED else muting).add(member)
    return following - muting


def bookmark(member: Member, kind: int, number: int, *, wanted: bool | None = None) -> bool:
    """Keep something, or no longer; return whether it is kept now.

    Without `wanted`, it is kept where it was not, and no longer where it was.
    """
    if wanted is not True and Bookmark.objects.filter(member=member, kind=kind, number=number).delete()[0]:
        return False
    if wanted is not False:
        Bookmark.objects.bulk_create([Bookmark(member=member, kind=kind, number=number)], ignore_conflicts=True)
    return wanted is not False


def muting(kind: int, number: int) -> set[int]:
    """Return who does not want to hear of something."""
    rows = Following.objects.filter(kind=kind, number=number, level=Level.MUTED)
    return set(rows.values_list("member_id", flat=True))


def move(kind: int, source: int, target: int) -> None:
    """Let those who follow or mute one thing do so with another of its kind, unless they said something about that."""
    rows = Following.objects.filter(kind=kind, number=source)
    said = Following.objects.filter(kind=kind, number=target).values_list("member_id", flat=True)
    rows.filter(member__in=list(said)).delete()
    rows.update(number=target)
