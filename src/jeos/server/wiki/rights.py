"""Who may do what in the wiki, decided from values alone; `member` is None for visitors, who read."""

from __future__ import annotations

from datetime import datetime

from jeos.server.accounts.models import Member
from jeos.server.content import trust
from jeos.server.wiki.models import Level, Page, Rules


def reaches(member: Member, level: int) -> bool:
    """Tell whether a member is one of those whom a level means. Moderators are above all trust."""
    if member.administers:
        return True
    if member.moderates:
        return level <= Level.MODERATORS
    return level <= Level.LEADER and member.trust >= level


def may_see(page: Page, member: Member | None) -> bool:
    """Tell whether somebody may read a page. Its author sees it while it is hidden, to know what became of it."""
    return not page.hidden or (member is not None and (member.moderates or member.pk == page.author_id))


def may_edit(page: Page, member: Member | None, rules: Rules, *, now: datetime) -> bool:
    """Tell whether somebody may change a page: whom both the site and the page let. A hidden one is for moderators."""
    if member is None or not trust.may_write(member, now=now) or (page.hidden and not member.moderates):
        return False
    return reaches(member, max(rules.edit, page.protection))


def may_create(member: Member | None, rules: Rules, *, now: datetime) -> bool:
    """Tell whether somebody may write new pages."""
    return member is not None and trust.may_write(member, now=now) and reaches(member, rules.create)


def may_move(page: Page, member: Member | None, rules: Rules, *, now: datetime) -> bool:
    """Tell whether somebody may give a page another title."""
    return member is not None and may_edit(page, member, rules, now=now) and reaches(member, rules.move)


def may_protect(page: Page, member: Member | None) -> bool:
    """Tell whether somebody may decide who edits a page: moderators, except where an administrator decided."""
    return member is not None and member.moderates and reaches(member, page.protection)
