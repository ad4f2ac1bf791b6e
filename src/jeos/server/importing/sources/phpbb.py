"""phpBB 3: a mysqldump of its tables, with whatever prefix they have."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from jeos.core.errors import InputError
from jeos.server.importing import bbcode
from jeos.server.importing.records import File, Message, Person, Record, Room, Topic, file_link, plain_words
from jeos.server.importing.sources.discourse import number, text
from jeos.server.importing.sql import Row

NAME = "phpbb"
ORDER = ("attachments", "users", "forums", "topics", "posts")
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

    def records(self, row: Row) -> Iterator[Record]:
        """Return what a row says."""
        match row.table:
            case "attachments" if not number(row, "in_message") and not number(row, "is_orphan"):
                self._files.setdefault(number(row, "post_msg_id"), []).append(_file(row))
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
                yield from self._message(row)

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
