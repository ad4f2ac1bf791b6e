"""The blogs of the example community, from `demo.toml`."""

from __future__ import annotations

import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.blog import posting, reacting
from jeos.server.blog.models import Post
from jeos.server.blog.posting import Writing
from jeos.server.content import comments, following, kinds

SCRIPT = Path(__file__).with_name("demo.toml")


def fill(members: dict[str, Member]) -> None:
    """Write blogs, posts and what others say about them."""
    script = tomllib.loads(SCRIPT.read_text(encoding="utf-8"))
    now = timezone.now()
    for row in script["blog"]:
        posting.describe(members[row["by"]], title=row["title"], about=row["about"])
    for row in sorted(script["post"], key=lambda row: -row.get("hours", 0)):
        _post(row, members, now=now)
    for handle in script["followed"]:
        following.set_level(members["member"], following.BLOG, members[handle].pk, 1)


def _post(row: dict[str, Any], members: dict[str, Member], *, now: datetime) -> None:
    author = members[row["by"]]
    when = now - timedelta(hours=row.get("hours", 0))
    writing = Writing(
        title=row["title"], source=row["text"].strip(), tags=tuple(row.get("tags", ())), series=row.get("series", "")
    )
    post = posting.begin(author, writing, now=when)
    if row.get("draft"):
        return
    if "in_days" in row:
        posting.schedule(post, (now + timedelta(days=row["in_days"])).replace(minute=0, second=0, microsecond=0))
        return
    posting.publish(post, now=when)
    for comment in row.get("comment", ()):
        written = when + timedelta(hours=comment["after"])
        comments.write(
            kinds.BLOG_POST, post.pk, author=members[comment["by"]], source=comment["text"].strip(), now=written
        )
    for sign, handles in row.get("thanks", {}).items():
        for handle in handles:
            reacting.react(Post.objects.select_related("author").get(pk=post.pk), members[handle], int(sign))
