"""The practices of the example community, from `demo.toml`."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path

from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import comments, kinds
from jeos.server.practices import proving, rating, tasks, writing
from jeos.server.practices.models import PARTS, Verdict

SCRIPT = Path(__file__).with_name("demo.toml")


def fill(members: dict[str, Member]) -> None:
    """Write practices, with reviews, ratings and comments; what has expired meanwhile is to be renewed."""
    now = timezone.now()
    for row in sorted(tomllib.loads(SCRIPT.read_text(encoding="utf-8"))["practice"], key=lambda row: -row["days"]):
        made = now - timedelta(days=row["days"])
        wanted = writing.Wanted(
            title=row["title"],
            parts={part: row[part].strip() for part in PARTS},
            organisation=row.get("organisation", ""),
            holds_for=row.get("holds_for", ""),
            months=row.get("months", 12),
            tags=row["tags"],
        )
        practice = writing.draft(wanted, author=members[row["by"]], now=made)
        if row.get("draft"):
            continue
        writing.submit(practice, now=made)
        for day, review in enumerate(row.get("review", ()), start=1):
            proving.review(
                practice,
                reviewer=members[review["by"]],
                verdict=Verdict[review.get("verdict", "APPROVE")],
                source=review["text"],
                now=made + timedelta(days=day),
            )
        for given in row.get("rating", ()):
            rating.rate(practice, member=members[given["by"]], stars=given["stars"], reason=given["reason"])
        for comment in row.get("comment", ()):
            comments.write(kinds.PRACTICE, practice.pk, author=members[comment["by"]], source=comment["text"])
    tasks.end_all(now=now)
