"""Replies that come as a text alone, as by mail: what the page asks is asked here too."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext as _

from jeos.server.accounts.models import Member
from jeos.server.content import limits
from jeos.server.content.answers import Refused
from jeos.server.forum import categories, posting, queries, rights
from jeos.server.forum.models import Thread, thread_url


def answer(number: int, member: Member, source: str) -> str:
    """Reply in a thread, or in the one that it was merged into; return where the reply stands. Raises Refused."""
    now = timezone.now()
    thread = Thread.objects.select_related("moved_to").filter(pk=number).first()
    thread = thread.moved_to if thread is not None and thread.moved_to is not None else thread
    category = categories.by_number(thread.category_id) if thread is not None else None
    if thread is None or category is None or not rights.may_reply(thread, category, member, now=now):
        raise Refused(_("This thread takes no replies from you at present."))
    last = queries.last_own_post(thread, member)
    if rights.seconds_to_wait(thread, category, member, last_post=last, now=now):
        raise Refused(_("This thread is in slow mode; you posted a short while ago."))
    limits.use("post", member=member)
    made = posting.reply(thread, category, author=member, source=source)
    return thread_url(thread.pk, thread.slug, number=made.number)
