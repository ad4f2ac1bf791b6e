"""Reactions to posts, and their counts on the post, its thread and its author."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F

from jeos.server.accounts.models import Member
from jeos.server.content import kinds, notifications, reactions
from jeos.server.content.models import Reason
from jeos.server.forum.models import Post, Thread


@transaction.atomic
def react(post: Post, thread: Thread, member: Member, sign: int, *, wanted: bool | None = None) -> None:
    """Add a member's reaction to a post or take it back, count it, and tell the author of a new one.

    Without `wanted`, it is added where it is not and taken back where it is.
    """
    change = reactions.change(member, kinds.POST, post.pk, sign, wanted=wanted)
    if not change:
        return
    locked = Post.objects.select_for_update().get(pk=post.pk)
    counts = dict(locked.reactions)
    counts[str(sign)] = max(0, counts.get(str(sign), 0) + change)
    post.reactions = {key: value for key, value in counts.items() if value}
    Post.objects.filter(pk=post.pk).update(reactions=post.reactions)
    Member.objects.filter(pk=post.author_id).update(thanks=F("thanks") + change)
    if post.number == 1:
        Thread.objects.filter(pk=thread.pk).update(thanks=F("thanks") + change)
    if change > 0:
        event = notifications.Event(
            Reason.REACTION, kinds.THREAD, thread.pk, post.get_absolute_url(), thread.title, member.pk
        )
        notifications.tell([post.author_id], event)
