"""Trust: what a member may do grows with what the member did, decided from counters; and who waits for a moderator."""

import re
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.db.models import F
from django.utils.translation import gettext as _

from jeos.server.accounts import blocking, site
from jeos.server.accounts.models import Member, Trust
from jeos.server.content import reasons, repeats
from jeos.server.content.models import Case, Outcome
from jeos.server.content.reasons import Why


@dataclass(frozen=True)
class Need:
    """What a level asks for."""

    days: int  # on which something was written
    posts: int
    thanks: int


NEEDS = {
    Trust.BASIC: Need(days=1, posts=2, thanks=0),
    Trust.KNOWN: Need(days=7, posts=20, thanks=5),
    Trust.REGULAR: Need(days=40, posts=150, thanks=60),
}  # leaders are made by administrators

_HOST = re.compile(r"//(?:[^\s/@]{0,200}@)?([\w.-]{1,253})")
LINKS_BY_NEW = 2  # a new member's post with more links waits for a moderator


def earned(*, days: int, posts: int, thanks: int) -> Trust:
    """Return the level that a member has earned."""
    reached = [
        level for level, need in NEEDS.items() if days >= need.days and posts >= need.posts and thanks >= need.thanks
    ]
    return max(reached, default=Trust.NEW)


def grown(member: Member) -> Trust:
    """Return the level of a member now: what was earned, and never less than the member has."""
    return max(Trust(member.trust), earned(days=member.days_active, posts=member.posts, thanks=member.thanks))


def waits_for_review(member: Member, *, links: int, mentions: int) -> bool:
    """Tell whether a post is shown only after a moderator saw it."""
    if member.moderates:
        return False
    if member.trust == Trust.NEW and (links > LINKS_BY_NEW or mentions > LINKS_BY_NEW or site.current().review):
        return True
    # Where the first texts are reviewed, writing more of them before anybody has looked opens nothing.
    unknown = member.trust <= Trust.BASIC and site.current().review
    return unknown and Case.objects.filter(author=member, outcome=Outcome.OPEN).exists()


def reason_to_wait(
    member: Member, *, source: str, plain: str, links: int, mentions: int, what: str, title: str = ""
) -> Why | None:
    """Return why a text that is new is shown only after a moderator saw it, and count it; None if it is shown.

    `plain` is the text as it is read, `what` a key of `reasons.NEW`.
    """
    if waits_for_review(member, links=links, mentions=mentions):
        return Why(reasons.NEW[what])
    if member.moderates:
        return None
    if any(blocking.is_blocked_domain(host) for host in _HOST.findall(source)):
        return Why(reasons.LINK)
    word = blocking.word_in(title, source, plain)
    if word:
        return Why(reasons.WORD, word)
    return Why(reasons.AGAIN) if repeats.again(member, source) else None


def may_edit_tags(member: Member) -> bool:
    """Tell whether a member may change the tags of others' content."""
    return member.moderates or member.trust >= Trust.KNOWN


def may_write(member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may write at all at present."""
    return member is not None and member.is_active and not member.silenced(now=now)


def check_may_write(member: Member | None, *, now: datetime) -> Member:
    """Return the member, who may write at present. Raises PermissionDenied for one who may not, and for visitors."""
    if member is None or not may_write(member, now=now):
        raise PermissionDenied(_("You cannot write at present."))
    return member


def count(author: Member, *, now: datetime) -> None:
    """Count something that a member wrote, outside of the forum, and let the member's trust grow."""
    today = now.date()
    if author.active_on != today:
        author.active_on, author.days_active = today, author.days_active + 1
    author.posts += 1
    author.trust = grown(author)
    Member.objects.filter(pk=author.pk).update(
        posts=F("posts") + 1, active_on=today, days_active=author.days_active, trust=author.trust
    )
