"""What members of Discourse thought of what others wrote: likes, reactions, polls, watching and muting.

post_actions                                                        likes, besides flags and bookmarks of old
discourse_reactions_reactions, discourse_reactions_reaction_users   other signs, each with a like beside it
polls, poll_options, poll_votes                                     since Discourse 2.2
topic_users, category_users, tag_users                              how much somebody wants to hear
user_badges                                                         which have no place here
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime

from jeos.server.content.reactions import AGREE, FUNNY, THANKS, WORKS
from jeos.server.importing.records import Answer, Ballot, Interest, Poll, Reaction, Record
from jeos.server.importing.sources.columns import moment, number, text
from jeos.server.importing.sql import Row

FIRST = ("discourse_reactions_reactions", "discourse_reactions_reaction_users", "poll_options", "polls")
TABLES = ("post_actions", "poll_votes", "topic_users", "category_users", "tag_users", "user_badges")
LIKE = 2  # of post_action_types
SIGNS = {
    **dict.fromkeys(("heart", "hugs", "clap", "pray", "tada", "confetti_ball", "star", "raised_hands"), THANKS),
    **dict.fromkeys(("+1", "thumbsup", "100", "ok_hand"), AGREE),
    **dict.fromkeys(("white_check_mark", "heavy_check_mark", "ballot_box_with_check"), WORKS),
    **dict.fromkeys(("laughing", "smile", "smiley", "grinning", "grin", "joy", "rofl", "slight_smile"), FUNNY),
}
MUTED, TRACKING, WATCHING, FIRST_POST = 0, 2, 3, 4  # notification levels; 1 is usual
LEVELS = {MUTED: -1, TRACKING: 0, WATCHING: 1, FIRST_POST: 1}
MULTIPLE, RANKED = 1, 3  # types of polls; 0 has one answer, 2 numbers to choose one of
LONGEST_HEAD = 500  # characters of what opens a poll
CLOSED = 1  # status of a poll
_TITLE = re.compile(r"\A\s*#{1,6}\s+(.+)")
_TAG = re.compile(r"<[^<>]{0,2000}>")


class Responses:
    """Turns the rows of these tables into records; what the reader asks of polls it knows after the first pass."""

    def __init__(self, unplaced: Counter[str]) -> None:
        self._unplaced = unplaced
        self._signs: dict[str, int] = {}  # by the number of a reaction
        self._reacted: dict[int, dict[int, tuple[str, datetime]]] = {}  # by post and person: which, and when
        self._answers: dict[int, list[Answer]] = {}  # by poll
        self._polls: dict[int, list[Row]] = {}  # by post
        self._number = 0
        self._of: dict[str, Callable[[Row], Iterator[Record]]] = {
            "discourse_reactions_reactions": self._sign,
            "discourse_reactions_reaction_users": self._reaction,
            "post_actions": self._like,
            "poll_options": self._answer,
            "polls": self._poll,
            "poll_votes": self._ballot,
            "topic_users": self._interest,
            "category_users": self._interest,
            "tag_users": self._interest,
            "user_badges": self._badge,
        }
        self._tags: dict[str, str] = {}

    def records(self, row: Row, *, tags: dict[str, str]) -> Iterator[Record]:
        """Return what a row of one of these tables says; `tags` are the names of tags by their numbers."""
        self._tags = tags
        yield from self._of[row.table](row)

    def polls(self, post: int, source: str, *, topic: int, first: bool) -> tuple[str, list[Poll]]:
        """Return the text of a post without the poll that stands above its thread then, and the polls that it has.

        Other polls, and one that is all that a post says, are lists of their options in the text.
        """
        parts = list(_parts(source))
        inner = [part for part, is_poll in parts if is_poll]
        made = [
            self._made(row, inner=inner[place] if place < len(inner) else "", topic=topic)
            for place, row in enumerate(self._polls.pop(post, ()))
        ]
        polls = [poll for poll in made if poll is not None]
        if polls and first and any(part.strip() for part, is_poll in parts if not is_poll):  # the second part is one
            parts = [part for place, part in enumerate(parts) if place != 1]
        if inner:
            source = "\n\n".join(part.strip("\n") for part, _is_poll in parts)
        return source.strip(), polls

    def reactions(self, post: int) -> Iterator[Reaction]:
        """Return the reactions to a post that are more than likes."""
        for person, (which, made) in self._reacted.get(post, {}).items():
            if sign := self._signs.get(which, 0):
                yield Reaction(self._next(), person=person, message=post, sign=sign, made=made)
            else:
                self._unplaced["reaction"] += 1

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _sign(self, row: Row) -> Iterator[Record]:
        self._signs[text(row, "id")] = SIGNS.get(text(row, "reaction_value").partition(":")[0], 0)
        yield from ()

    def _reaction(self, row: Row) -> Iterator[Record]:
        said = (text(row, "reaction_id"), moment(row, "created_at"))
        self._reacted.setdefault(number(row, "post_id"), {})[number(row, "user_id")] = said
        yield from ()

    def _like(self, row: Row) -> Iterator[Record]:
        if number(row, "post_action_type_id") != LIKE or row.values.get("deleted_at") is not None:
            return
        post, person = number(row, "post_id"), number(row, "user_id")
        if person not in self._reacted.get(post, ()):  # else it only stands for the other sign
            yield Reaction(self._next(), person=person, message=post, sign=THANKS, made=moment(row, "created_at"))

    def _answer(self, row: Row) -> Iterator[Record]:
        words = html.unescape(_TAG.sub("", text(row, "html")))
        answer = Answer(number(row, "id"), text=words, votes=number(row, "anonymous_votes"))
        self._answers.setdefault(number(row, "poll_id"), []).append(answer)
        yield from ()

    def _poll(self, row: Row) -> Iterator[Record]:
        self._polls.setdefault(number(row, "post_id"), []).append(row)
        yield from ()

    def _made(self, row: Row, *, inner: str, topic: int) -> Poll | None:
        """Return a poll, or None for one that puts its options in order."""
        answers = tuple(sorted(self._answers.pop(number(row, "id"), ()), key=lambda answer: answer.number))
        kind = number(row, "type")
        if kind == RANKED:
            self._unplaced["poll"] += 1
            return None
        title = _TITLE.match(inner)
        ended = ("updated_at",) if number(row, "status") == CLOSED else ()
        closes = [moment(row, name) for name in (*ended, "close_at") if row.values.get(name) is not None]
        return Poll(
            number=number(row, "id"),
            question=text(row, "title") or (title[1] if title else ""),
            answers=answers,
            topic=topic,
            choices=(number(row, "max") or len(answers)) if kind == MULTIPLE else 1,
            closes=closes[0] if closes else None,
            voters=number(row, "anonymous_voters"),
        )

    def _ballot(self, row: Row) -> Iterator[Record]:
        person, poll, answer = number(row, "user_id"), number(row, "poll_id"), number(row, "poll_option_id")
        yield Ballot(self._next(), person=person, poll=poll, answer=answer)

    def _interest(self, row: Row) -> Iterator[Record]:
        if row.values.get("notification_level") is None:
            return
        level, person = number(row, "notification_level"), number(row, "user_id")
        if level not in LEVELS:
            return
        if row.table == "topic_users":
            topic, read = number(row, "topic_id"), number(row, "last_read_post_number")
            yield Interest(self._next(), person=person, level=LEVELS[level], topic=topic, read=read)
        elif level == TRACKING:
            self._unplaced["tracked"] += 1
        elif row.table == "category_users":
            yield Interest(self._next(), person=person, level=LEVELS[level], room=number(row, "category_id"))
        elif tag := self._tags.get(text(row, "tag_id")):
            yield Interest(self._next(), person=person, level=LEVELS[level], tag=tag)

    def _badge(self, _row: Row) -> Iterator[Record]:
        self._unplaced["badge"] += 1
        yield from ()


def _parts(source: str) -> Iterator[tuple[str, bool]]:
    """Return the parts of a text, and for each whether it is what a poll holds."""
    at = start = 0
    while (start := source.find("[poll", start)) != -1:
        inner = source.find("]\n", start, start + LONGEST_HEAD) + 2
        if (start and source[start - 1] != "\n") or inner < 2 or "\n" in source[start : inner - 1]:
            start += 1
            continue
        end = source.find("[/poll]", inner)
        if end < 0:
            break
        yield source[at:start], False
        yield source[inner:end], True
        at = start = end + len("[/poll]")
    yield source[at:], False
