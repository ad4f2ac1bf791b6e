"""Who may do what with blog posts, decided from values alone; `member` is None for visitors."""

from __future__ import annotations

from datetime import datetime

from jeos.server.accounts.models import Member
from jeos.server.blog.models import Post, State
from jeos.server.content import trust


def may_see(post: Post, member: Member | None) -> bool:
    """Tell whether somebody may read a post: drafts only their author, hidden ones their author and moderators."""
    if member is not None and member.pk == post.author_id:
        return True
    if post.state != State.PUBLISHED:
        return False
    return not post.hidden or (member is not None and member.moderates)


def may_edit(post: Post, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may change a post: its author while it is not hidden, moderators once it is published."""
    if member is None or not trust.may_write(member, now=now):
        return False
    if member.moderates and post.state == State.PUBLISHED:
        return True
    return member.pk == post.author_id and not post.hidden


def may_withdraw(post: Post, member: Member | None) -> bool:
    """Tell whether somebody may let a post be a draft again: its author, unless moderators hid it."""
    return member is not None and member.pk == post.author_id and not post.hidden


def may_delete(post: Post, member: Member | None) -> bool:
    """Tell whether somebody may delete a post: its author, as long as nobody else has ever read it."""
    return member is not None and member.pk == post.author_id and post.published is None


def may_react(post: Post, member: Member, *, now: datetime) -> bool:
    """Tell whether a member may react to a post: to others' posts that everybody reads."""
    return post.shown and member.pk != post.author_id and trust.may_write(member, now=now)
