"""Who may do what in the forum, decided from values alone; `member` is None for visitors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jeos.server.accounts.models import Member
from jeos.server.content import trust
from jeos.server.forum.models import Category, Post, Thread


@dataclass(frozen=True)
class May:
    """What the reader may do in a thread, and what its posts need to know of it."""

    reply: bool
    solve: bool
    moderate: bool
    write: bool  # at all, at present
    answer: int | None  # the number of the post that solved it
    starter: int  # who began it


def may_read(category: Category, member: Member | None) -> bool:
    """Tell whether somebody may read a category."""
    return not category.staff or (member is not None and member.moderates)


def may_write(member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may write at all at present."""
    return trust.may_write(member, now=now)


def may_start(category: Category, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may start threads in a category."""
    if member is None or not may_write(member, now=now) or not may_read(category, member):
        return False
    return member.moderates or member.trust >= category.start_trust


def may_reply(thread: Thread, category: Category, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may reply in a thread. A closed one is closed for all but moderators."""
    if member is None or not may_write(member, now=now) or not may_see(thread, category, member):
        return False
    return member.moderates or (not thread.closed and member.trust >= category.reply_trust)


def may_see(thread: Thread, category: Category, member: Member | None) -> bool:
    """Tell whether somebody may read a thread. Its author sees it while it is hidden, to know what became of it."""
    if not may_read(category, member):
        return False
    return not thread.hidden or (member is not None and (member.moderates or member.pk == thread.author_id))


def may_edit(post: Post, thread: Thread, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may edit a post: its author while the thread is open, moderators always."""
    if member is None or not may_write(member, now=now):
        return False
    own = post.author_id == member.pk and not thread.closed and not post.hidden
    return member.moderates or own


def may_tag(thread: Thread, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may change a thread's tags."""
    if member is None or not may_write(member, now=now):
        return False
    return trust.may_edit_tags(member) or (member.pk == thread.author_id and not thread.closed)


def may_react(post: Post, member: Member, *, now: datetime) -> bool:
    """Tell whether a member may react to a post: to others' posts, one's own need no thanks."""
    return post.author_id != member.pk and may_write(member, now=now)


def may_solve(thread: Thread, category: Category, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may choose the answer that solved it."""
    if member is None or not category.solvable or not may_write(member, now=now):
        return False
    return member.moderates or member.pk == thread.author_id


def pause(thread: Thread, category: Category, member: Member) -> int:
    """Return how many seconds slow mode puts between two posts of a member in a thread; 0 where it does not."""
    return 0 if member.moderates else max(thread.slow_seconds, category.slow_seconds)


def seconds_to_wait(
    thread: Thread, category: Category, member: Member, *, last_post: datetime | None, now: datetime
) -> int:
    """Return for how long slow mode keeps a member from posting again; 0 where it does not."""
    slow = pause(thread, category, member)
    if not slow or last_post is None:
        return 0
    return max(0, slow - int((now - last_post).total_seconds()))
