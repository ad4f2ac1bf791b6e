"""phpBB 3: a mysqldump of its tables, with whatever prefix they have."""

from __future__ import annotations

import html
from collections.abc import Iterator
from datetime import UTC, datetime

from jeos.core.errors import InputError
from jeos.server.importing import bbcode
from jeos.server.importing.records import Message, Person, Record, Room, Topic
from jeos.server.importing.sources.discourse import number, text
from jeos.server.importing.sql import Row

NAME = "phpbb"
ORDER = ("users", "forums", "topics", "posts")
ROBOT = 2  # user_type of what is nobody
SHOWN = ("1", "")  # of topic_visibility and post_visibility: approved, not deleted
STICKY = (1, 2, 3)  # topic_type: sticky, announcement, for all forums
LOCKED = 1  # topic_status


class Reader:
    """Turns rows of a dump into records."""

    def __init__(self) -> None:
        self._places: dict[int, int] = {}

    def records(self, row: Row) -> Iterator[Record]:
        """Return what a row says."""
        match row.table:
            case "users" if number(row, "user_type") != ROBOT:
                yield Person(
                    number=number(row, "user_id"),
                    handle=plain(row, "username"),
                    name=plain(row, "username"),
                    email=text(row, "user_email"),
                    joined=moment(row, "user_regdate"),
                )
            case "forums":
                yield Room(
                    number=number(row, "forum_id"),
                    name=plain(row, "forum_name"),
                    description=bbcode.unwrap(text(row, "forum_desc")),
                )
            case "topics" if text(row, "topic_visibility") in SHOWN and not number(row, "topic_moved_id"):
                yield Topic(
                    number=number(row, "topic_id"),
                    room=number(row, "forum_id"),
                    title=plain(row, "topic_title"),
                    author=number(row, "topic_poster"),
                    made=moment(row, "topic_time"),
                    closed=number(row, "topic_status") == LOCKED,
                    pinned=number(row, "topic_type") in STICKY,
                )
            case "posts" if text(row, "post_visibility") in SHOWN:
                topic = number(row, "topic_id")
                self._places[topic] = self._places.get(topic, 0) + 1
                yield Message(
                    number=number(row, "post_id"),
                    topic=topic,
                    place=self._places[topic],
                    author=number(row, "poster_id"),
                    made=moment(row, "post_time"),
                    source=bbcode.to_markdown(bbcode.unwrap(text(row, "post_text"))),
                )


def plain(row: Row, name: str) -> str:
    """Return a text that phpBB keeps with HTML entities."""
    return html.unescape(text(row, name))


def moment(row: Row, name: str) -> datetime:
    """Return a time that is kept as seconds since 1970. Raises InputError."""
    seconds = number(row, name)
    if not 0 <= seconds < 1 << 33:
        raise InputError(f"{row.table}.{name} is no time: {seconds}", hint="is the dump of phpBB?")
    return datetime.fromtimestamp(seconds, tz=UTC)
