"""The wiki of the example community, from `demo.toml`: pages as members of such a community would write them."""

from __future__ import annotations

import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import following, kinds
from jeos.server.wiki import managing, writing
from jeos.server.wiki.models import Change, Level

SCRIPT = Path(__file__).with_name("demo.toml")


def fill(members: dict[str, Member]) -> None:
    """Write the pages, their changes, and what was done to them."""
    now = timezone.now()
    for row in sorted(tomllib.loads(SCRIPT.read_text(encoding="utf-8"))["page"], key=lambda row: -row["days"]):
        _page(row, members, now=now)


def _page(row: dict[str, Any], members: dict[str, Member], *, now: datetime) -> None:
    begun = now - timedelta(days=row["days"])
    source = row["text"].strip()
    page = writing.create(
        title=row["title"], source=source, author=members[row["by"]], tag_names=row.get("tags", ()), now=begun
    )
    for change in row.get("change", ()):
        was = source
        source = source.replace(change["old"].strip(), change["new"].strip()) if "old" in change else source
        source += f"\n\n{change['add'].strip()}" if "add" in change else ""
        if source == was:
            raise ValueError(f"{row['title']}: a change changes nothing: {change}")
        done = writing.edit(
            page.pk,
            editor=members[change["by"]],
            base=page.version,
            source=source,
            reason=change.get("why", ""),
            tags_then=page.tags.split(),
            tags_now=page.tags.split(),
            now=begun + timedelta(days=change["after"]),
        )
        page = done.page
    if "moved" in row:
        managing.move(page, row["moved"], actor=members["moderator"])
    if "protection" in row:
        managing.protect(page, Level[row["protection"]], actor=members["moderator"], reason=row.get("reason", ""))
    Change.objects.filter(page=page, made__gt=now).update(made=now - timedelta(hours=row.get("hours", 20)))
    if row.get("followed"):
        following.set_level(members["member"], kinds.WIKI_PAGE, page.pk, 1)
