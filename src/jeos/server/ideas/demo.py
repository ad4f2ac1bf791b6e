"""The ideas of the example community, from `demo.toml`."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path

from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import comments, kinds
from jeos.server.ideas import answering, suggesting, voting
from jeos.server.ideas.models import Status

SCRIPT = Path(__file__).with_name("demo.toml")


def fill(members: dict[str, Member]) -> None:
    """Write ideas, with votes, answers and comments."""
    now = timezone.now()
    for row in sorted(tomllib.loads(SCRIPT.read_text(encoding="utf-8"))["idea"], key=lambda row: -row["days"]):
        made = now - timedelta(days=row["days"])
        idea = suggesting.post(
            author=members[row["by"]],
            title=row["title"],
            source=row["text"].strip(),
            tag_names=row["tags"],
            now=made,
        )
        for position, handle in enumerate(row["votes"], start=1):
            when = made + (now - made) * position / (len(row["votes"]) + 1)
            voting.vote(idea, members[handle], wanted=True, now=when)
        for comment in row.get("comment", ()):
            when = made + timedelta(days=comment["after"])
            comments.write(kinds.IDEA, idea.pk, author=members[comment["by"]], source=comment["text"].strip(), now=when)
        if "answer" in row:
            answer = row["answer"]
            status = Status[answer["status"]]
            answering.answer(idea, status=status, source=answer["text"].strip(), actor=members["admin"])
