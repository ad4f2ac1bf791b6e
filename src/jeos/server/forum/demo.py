"""The forum of the example community, from `demo.toml`: threads as members of such a community would write them."""

from __future__ import annotations

import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from jeos.server.accounts.models import Member, Trust
from jeos.server.content import following, kinds
from jeos.server.content.models import FlagReason, Tag
from jeos.server.content.moderation import flag
from jeos.server.forum import categories, moderating, polls, posting, reacting
from jeos.server.forum.models import Category, Post, Thread

SCRIPT = Path(__file__).with_name("demo.toml")


def fill(members: dict[str, Member]) -> None:
    """Write categories, tags and threads."""
    script = tomllib.loads(SCRIPT.read_text(encoding="utf-8"))
    now = timezone.now()
    for position, row in enumerate(script["category"]):
        Category.objects.create(
            position=position,
            slug=row["slug"],
            name=row["name"],
            description=row["description"],
            hue=row["hue"],
            staff=row.get("staff", False),
            solvable=row.get("solvable", False),
            start_trust=Trust[row.get("start_trust", "NEW")],
        )
    categories.forget()
    for row in sorted(script["thread"], key=lambda row: -row["hours"]):
        _thread(row, members, now=now)
    _tags(script["tag"])


def _thread(row: dict[str, Any], members: dict[str, Member], *, now: datetime) -> None:
    category = Category.objects.get(slug=row["category"])
    begun = now - timedelta(hours=row["hours"])
    thread = posting.start(
        category,
        author=members[row["by"]],
        title=row["title"],
        source=row["text"].strip(),
        tag_names=row["tags"],
        now=begun,
    )
    for reply in row.get("reply", ()):
        when = begun + timedelta(hours=reply["after"])
        post = posting.reply(
            thread,
            category,
            author=members[reply["by"]],
            source=reply["text"].strip(),
            reply_to=reply.get("to"),
            now=when,
        )
        _react(post, thread, reply.get("thanks", {}), members)
        if reply.get("solves"):
            moderating.solve(thread, post.number, actor=members[row["by"]])
        if "flag" in reply:
            flag(kinds.POST, post.pk, member=members[reply["flag"]], reason=FlagReason.SPAM, note="")
    _react(Post.objects.get(thread=thread, number=1), thread, row.get("thanks", {}), members)
    if "poll" in row:
        poll = polls.make(
            thread, question=row["poll"]["question"], options=row["poll"]["options"], choices=1, closes=None
        )
        options = list(poll.options.all())
        for handle, choice in row["poll"]["votes"].items():
            polls.vote(poll, members[handle], [options[choice].pk], now=now)
    Thread.objects.filter(pk=thread.pk).update(pinned=row.get("pinned", False), closed=row.get("closed", False))
    following.set_level(members["member"], kinds.THREAD, thread.pk, 1 if row.get("followed") else 0)


def _react(post: Post, thread: Thread, signs: dict[str, list[str]], members: dict[str, Member]) -> None:
    for sign, handles in signs.items():
        for handle in handles:
            post.refresh_from_db()
            reacting.react(post, thread, members[handle], int(sign))


def _tags(rows: list[dict[str, str]]) -> None:
    for row in rows:
        tag, _ = Tag.objects.get_or_create(name=row["name"])
        tag.description = row.get("description", "")
        if "wider" in row:
            tag.wider = Tag.objects.get_or_create(name=row["wider"])[0]
        if "synonym_of" in row:
            tag.synonym_of = Tag.objects.get(name=row["synonym_of"])
        tag.save()
