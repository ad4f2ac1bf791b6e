"""Discourse: the `dump.sql` of a backup, as pg_dump writes it (tables of Discourse 2.x and 3.x)."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Iterator

from jeos.server.importing import bbcode
from jeos.server.importing.records import Face, File, Message, Person, Record, Room, Topic
from jeos.server.importing.sources import discourse_responses
from jeos.server.importing.sources.columns import moment, number, text
from jeos.server.importing.sources.discourse_responses import Responses
from jeos.server.importing.sources.uploads import Uploads
from jeos.server.importing.sql import Row

NAME = "discourse"
FIRST = ("user_emails", "user_profiles", "tags", "topic_tags", "uploads", *discourse_responses.FIRST)
ORDER = (*FIRST, "users", "categories", "topics", "posts", *discourse_responses.TABLES)  # others refer to the first
TABLES = frozenset(ORDER)
REGULAR_POST = "1"  # others are small notes of what somebody did, and whispers
ITERATIONS = 64_000  # of PBKDF2, in Discourse's lib/auth before 3.2
SYSTEM = -1  # the number of the account that is the program itself
MAIL_PLACE = "discourse.invalid"


class Reader:
    """Turns rows of a dump into records; keeps what stands in more than one table."""

    def __init__(self) -> None:
        self.unplaced: Counter[str] = Counter()
        self._responses = Responses(self.unplaced)
        self._emails: dict[str, str] = {}
        self._about: dict[str, str] = {}
        self._tags: dict[str, str] = {}
        self._tagged: dict[str, list[str]] = {}
        self._uploads = Uploads()

    def records(self, row: Row) -> Iterator[Record]:
        """Return what a row says; tables come in the order of `ORDER`."""
        match row.table:
            case "user_emails":
                if row.values.get("primary") == "t":
                    self._emails[str(row.values["user_id"])] = str(row.values["email"])
            case "user_profiles":
                if about := text(row, "bio_raw"):
                    self._about[text(row, "user_id")] = about
            case "users":
                yield from self._person(row)
            case "categories":
                yield Room(
                    number=number(row, "id"),
                    name=text(row, "name"),
                    description=text(row, "description"),
                    closed=row.values.get("read_restricted") == "t",
                )
            case "tags":
                self._tags[text(row, "id")] = text(row, "name")
            case "topic_tags":
                name = self._tags.get(text(row, "tag_id"))
                if name:
                    self._tagged.setdefault(text(row, "topic_id"), []).append(name)
            case "uploads":
                self._uploads.add(self._file(row))
            case "topics":
                yield from self._topic(row)
            case "posts":
                yield from self._message(row)
            case _:
                yield from self._responses.records(row, tags=self._tags)

    def _person(self, row: Row) -> Iterator[Person | Face]:
        """Return somebody, and the picture that stands for them."""
        self.unplaced["title"] += bool(text(row, "title"))
        email = self._emails.get(text(row, "id")) or text(row, "email")
        yield Person(
            number=number(row, "id"),
            handle=text(row, "username"),
            name=text(row, "name"),
            email=email,
            joined=moment(row, "created_at"),
            trust=min(4, max(0, number(row, "trust_level"))),
            password=password(text(row, "password_hash"), text(row, "salt")),
            about=self._about.get(text(row, "id"), ""),
        )
        picture = self._uploads.numbered(number(row, "uploaded_avatar_id"))
        if picture is not None:
            words = f"picture of {text(row, 'username')}"
            yield Face(number(row, "id"), name=words, place=picture.place, key=str(picture.number))

    def _topic(self, row: Row) -> Iterator[Topic]:
        if row.values.get("deleted_at") is not None:
            return
        if text(row, "archetype") not in ("regular", ""):
            self.unplaced["private"] += 1
            return
        yield Topic(
            number=number(row, "id"),
            room=number(row, "category_id"),
            title=text(row, "title"),
            author=number(row, "user_id"),
            made=moment(row, "created_at"),
            closed=row.values.get("closed") == "t",
            pinned=row.values.get("pinned_at") is not None,
            tags=tuple(self._tagged.get(text(row, "id"), ())),
        )

    def _message(self, row: Row) -> Iterator[Record]:
        if row.values.get("deleted_at") is not None or text(row, "post_type") not in (REGULAR_POST, ""):
            return
        source, polls = self._responses.polls(
            number(row, "id"),
            bbcode.of_discourse(text(row, "raw")),
            topic=number(row, "topic_id"),
            first=number(row, "post_number") == 1,
        )
        source, files = self._uploads.placed(source)
        yield from self._uploads.new(files)
        yield Message(
            number=number(row, "id"),
            topic=number(row, "topic_id"),
            place=number(row, "post_number"),
            author=number(row, "user_id"),
            made=moment(row, "created_at"),
            source=source,
            reply_to=number(row, "reply_to_post_number"),
            files=files,
        )
        yield from polls
        yield from self._responses.reactions(number(row, "id"))

    def _file(self, row: Row) -> File:
        return File(
            number=number(row, "id"),
            name=text(row, "original_filename"),
            author=number(row, "user_id"),
            made=moment(row, "created_at"),
            place=text(row, "url"),
            key=text(row, "sha1").lower(),
        )


def password(digest: str, salt: str) -> str:
    """Return a hash of Discourse's as Django keeps it (PBKDF2-HMAC-SHA256, 32 bytes), or nothing."""
    try:
        raw = binascii.unhexlify(digest)
    except (binascii.Error, ValueError):
        return ""
    if len(raw) != 32 or not salt or "$" in salt or not salt.isascii():
        return ""
    return f"pbkdf2_sha256${ITERATIONS}${salt}${base64.b64encode(raw).decode()}"
