"""phpBB 3: a mysqldump of its tables, with whatever prefix they have.

Likes are those of the extensions "Thanks for posts" (`thanks`) and "Post Love" (`posts_likes`).
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from jeos.core.errors import InputError
from jeos.server.content.reactions import THANKS
from jeos.server.importing import bbcode
from jeos.server.importing.records import (
    Answer,
    Ballot,
    Face,
    File,
    Interest,
    Message,
    Person,
    Poll,
    Reaction,
    Record,
    Room,
    Topic,
    file_link,
    plain_words,
)
from jeos.server.importing.sources.columns import number, text
from jeos.server.importing.sql import Row

NAME = "phpbb"
FIRST = ("attachments", "config", "poll_options")
ORDER = (
    *FIRST,
    *("users", "forums", "topics", "posts", "thanks", "posts_likes", "poll_votes", "topics_watch", "forums_watch"),
)
UPLOADED = ("avatar.driver.upload", "1")  # user_avatar_type since 3.1, and before; others lie elsewhere
OPTIONS = 1_000  # more than a poll has: option numbers begin anew in each topic
ROBOT = 2  # user_type of what is nobody
SHOWN = ("1", "")  # of topic_visibility and post_visibility: approved, not deleted
STICKY = (1, 2, 3)  # topic_type: sticky, announcement, for all forums
LOCKED = 1  # topic_status
_ATTACHED = re.compile(r"(?<!\\)\[([^\[\]\\\n]{0,300})\]\(old-file:(\d{1,9})\)")


class Reader:
    """Turns rows of a dump into records."""

    def __init__(self) -> None:
        self._places: dict[int, int] = {}
        self._files: dict[int, list[File]] = {}  # by post
        self._answers: dict[int, list[Answer]] = {}  # by topic
        self._salt = ""  # what names of pictures of members begin with
        self._number = 0
        self.unplaced: Counter[str] = Counter()

    def records(self, row: Row) -> Iterator[Record]:
        """Return what a row says."""
        match row.table:
            case "attachments" if not number(row, "in_message") and not number(row, "is_orphan"):
                self._files.setdefault(number(row, "post_msg_id"), []).append(_file(row))
            case "config" if text(row, "config_name") == "avatar_salt":
                self._salt = text(row, "config_value")
            case "poll_options":
                topic, option = number(row, "topic_id"), number(row, "poll_option_id")
                answer = Answer(_answer(topic, option), text=bbcode.plain(text(row, "poll_option_text")))
                self._answers.setdefault(topic, []).append(answer)
            case "users" if number(row, "user_type") != ROBOT:
                yield from self._person(row)
            case "forums":
                yield Room(
                    number=number(row, "forum_id"),
                    name=plain(row, "forum_name"),
                    description=bbcode.unwrap(text(row, "forum_desc")),
                )
            case "topics" if text(row, "topic_visibility") in SHOWN and not number(row, "topic_moved_id"):
                yield from self._topic(row)
            case "posts" if text(row, "post_visibility") in SHOWN:
                yield from self._message(row)
            case "thanks" | "posts_likes":
                made = moment(row, "thanks_time" if row.table == "thanks" else "timestamp")
                person, message = number(row, "user_id"), number(row, "post_id")
                yield Reaction(self._next(), person=person, message=message, sign=THANKS, made=made)
            case "poll_votes":
                topic = number(row, "topic_id")
                answer_number = _answer(topic, number(row, "poll_option_id"))
                yield Ballot(self._next(), person=number(row, "vote_user_id"), poll=topic, answer=answer_number)
            case "topics_watch":
                yield Interest(self._next(), number(row, "user_id"), level=1, topic=number(row, "topic_id"))
            case "forums_watch":
                yield Interest(self._next(), number(row, "user_id"), level=1, room=number(row, "forum_id"))

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _person(self, row: Row) -> Iterator[Record]:
        """Return somebody, and the picture that stands for them; none is fetched from elsewhere."""
        person = number(row, "user_id")
        yield Person(
            number=person,
            handle=plain(row, "username"),
            name=plain(row, "username"),
            email=text(row, "user_email"),
            joined=moment(row, "user_regdate"),
        )
        self.unplaced["title"] += bool(number(row, "user_rank"))
        picture, kind = text(row, "user_avatar"), text(row, "user_avatar_type")
        if kind in UPLOADED and picture:
            ending = picture.rpartition(".")[2]
            words = f"picture of {plain(row, 'username')}"
            yield Face(person, name=words, place=f"{self._salt}_{person}.{ending}", key=str(person))
        elif picture:
            self.unplaced["picture"] += 1

    def _topic(self, row: Row) -> Iterator[Record]:
        """Return a thread, and the poll that stands above it."""
        topic = number(row, "topic_id")
        yield Topic(
            number=topic,
            room=number(row, "forum_id"),
            title=plain(row, "topic_title"),
            author=number(row, "topic_poster"),
            made=moment(row, "topic_time"),
            closed=number(row, "topic_status") == LOCKED,
            pinned=number(row, "topic_type") in STICKY,
        )
        answers = sorted(self._answers.pop(topic, ()), key=lambda answer: answer.number)
        if answers and number(row, "poll_start"):
            lasts = number(row, "poll_length")  # seconds; 0 for ever
            yield Poll(
                number=topic,
                question=bbcode.plain(text(row, "poll_title")),
                answers=tuple(answers),
                topic=topic,
                choices=number(row, "poll_max_options"),
                closes=moment(row, "poll_start") + timedelta(seconds=min(lasts, 1 << 33)) if lasts > 0 else None,
            )

    def _message(self, row: Row) -> Iterator[Record]:
        """Return a post after the files that it has."""
        topic, post = number(row, "topic_id"), number(row, "post_id")
        self._places[topic] = self._places.get(topic, 0) + 1
        files = sorted(self._files.pop(post, ()), key=lambda file: -file.number)  # the order that texts count in
        yield from files
        yield Message(
            number=post,
            topic=topic,
            place=self._places[topic],
            author=number(row, "poster_id"),
            made=moment(row, "post_time"),
            source=placed(bbcode.to_markdown(bbcode.unwrap(text(row, "post_text"))), files),
            files=tuple(file.number for file in files),
        )


def _answer(topic: int, option: int) -> int:
    """Return a number for an option of a topic's poll. Raises InputError."""
    if not 0 <= option < OPTIONS:
        raise InputError(f"poll_options.poll_option_id is no number of an option: {option}", hint="is the dump whole?")
    return topic * OPTIONS + option


def _file(row: Row) -> File:
    return File(
        number=number(row, "attach_id"),
        name=plain(row, "real_filename"),
        author=number(row, "poster_id"),
        made=moment(row, "filetime"),
        place=text(row, "physical_filename"),
    )


def placed(source: str, files: Sequence[File]) -> str:
    """Return a text in which the files of its post are links to their numbers; those that are not in it follow."""
    shown: set[int] = set()

    def link(found: re.Match[str]) -> str:
        index = int(found[2])
        named = [file for file in files if plain_words(file.name) == found[1]]
        file = named[0] if len(named) == 1 else files[index] if index < len(files) else None
        if file is None:
            return found[1]
        shown.add(file.number)
        return file_link(found[1], file.number)

    text = _ATTACHED.sub(link, source)
    rest = [file_link(file.name, file.number) for file in reversed(files) if file.number not in shown]
    return "\n\n".join([text, *rest]).strip()


def plain(row: Row, name: str) -> str:
    """Return a text that phpBB keeps with HTML entities."""
    return html.unescape(text(row, name))


def moment(row: Row, name: str) -> datetime:
    """Return a time that is kept as seconds since 1970. Raises InputError."""
    seconds = number(row, name)
    if not 0 <= seconds < 1 << 33:
        raise InputError(f"{row.table}.{name} is no time: {seconds}", hint="is the dump of phpBB?")
    return datetime.fromtimestamp(seconds, tz=UTC)
