"""Dumps of forums as their databases' own programs write them, of as many members and threads as a test wants."""

from collections.abc import Iterable, Sequence

Value = str | int | None


def copied(table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> str:
    """Return a table as pg_dump writes it."""

    def text(value: Value) -> str:
        if value is None:
            return "\\N"
        plain = str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
        return plain.replace("\b", "\\b").replace("\f", "\\f").replace("\v", "\\v")

    lines = "".join("\t".join(map(text, row)) + "\n" for row in rows)
    return f"COPY public.{table} ({', '.join(columns)}) FROM stdin;\n{lines}\\.\n\n"


def inserted(table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> str:
    """Return a table as mysqldump writes it: its columns first, then rows without them."""

    def text(value: Value) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, int):
            return str(value)
        plain = value.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"').replace("\n", "\\n")
        return "'" + plain.replace("\r", "\\r").replace("\x1a", "\\Z") + "'"

    made = ",\n".join(f"  `{name}` text" for name in columns)
    values = ",".join("(" + ",".join(map(text, row)) + ")" for row in rows)
    create = f"CREATE TABLE `{table}` (\n{made},\n  PRIMARY KEY (`{columns[0]}`)\n) ENGINE=InnoDB;\n"
    return f"{create}\nINSERT INTO `{table}` VALUES {values};\n" if values else create


def discourse(*, people: int = 3, topics: int = 2, posts: int = 3) -> str:
    """Return a dump of Discourse. Person 1 has a passphrase; topic 900 is private, category 9 is closed."""
    day = "2019-03-0{} 10:00:00.5"
    return "".join(
        [
            "--\n-- PostgreSQL database dump\n--\nSET statement_timeout = 0;\n\n",
            copied(
                "categories",
                ("id", "name", "description", "read_restricted"),
                [(5, "Building", "How to\nbuild", "f"), (9, "Staff", None, "t")],
            ),
            copied(
                "posts",
                (
                    *("id", "user_id", "topic_id", "post_number", "raw", "created_at"),
                    *("deleted_at", "post_type", "reply_to_post_number"),
                ),
                [
                    (
                        *(100 * topic + place, 1 + place % people, topic, place),
                        *(f"Post *{place}* of topic {topic}", day.format(1 + place % 9)),
                        *(None, 1, 1 if place == 2 else None),
                    )
                    for topic in range(1, topics + 1)
                    for place in range(1, posts + 1)
                ]
                + [
                    (9001, 1, 900, 1, "private", day.format(1), None, 1, None),
                    (9002, 1, 1, posts + 1, "deleted", day.format(9), day.format(9), 1, None),
                    (9003, 1, 1, posts + 2, "closed the topic", day.format(9), None, 3, None),
                    (
                        9004,
                        77,
                        1,
                        posts + 5,
                        '[quote="person1, post:1, topic:1"]\nWell\n[/quote]\nIndeed',
                        day.format(9),
                        None,
                        1,
                        1,
                    ),
                    (9005, 2, 908, 1, "For us alone", day.format(9), None, 1, None),
                ],
            ),
            copied("tags", ("id", "name"), [(1, "uefi"), (2, "Net Boot")]),
            copied("topic_tags", ("id", "topic_id", "tag_id"), [(1, 1, 1), (2, 1, 2)]),
            copied(
                "topics",
                (
                    *("id", "title", "category_id", "user_id", "created_at"),
                    *("archetype", "closed", "pinned_at", "deleted_at"),
                ),
                [
                    (
                        topic,
                        f"Topic number {topic}",
                        5,
                        2,
                        day.format(1),
                        "regular",
                        "t" if topic == 2 else "f",
                        None,
                        None,
                    )
                    for topic in range(1, topics + 1)
                ]
                + [
                    (900, "A private one", None, 1, day.format(1), "private_message", "f", None, None),
                    (908, "Secret plans of staff", 9, 2, day.format(1), "regular", "f", None, None),
                    (901, "A deleted one", 5, 1, day.format(1), "regular", "f", None, day.format(2)),
                ],
            ),
            copied(
                "user_emails",
                ("id", "user_id", "email", "primary"),
                [(n, n, f"person{n}@old.example", "t") for n in range(1, people + 1)],
            ),
            copied(
                "users",
                ("id", "username", "name", "created_at", "trust_level", "password_hash", "salt"),
                [
                    (
                        *(n, f"Person{n}", f"Person Number {n}", day.format(1), min(n, 4)),
                        *((PASSWORD_HASH, SALT) if n == 1 else (None, None)),
                    )
                    for n in range(1, people + 1)
                ],
            ),
        ]
    )


SALT = "0123456789abcdef0123456789abcdef"
PASSPHRASE = "correct horse battery"
PASSWORD_HASH = __import__("hashlib").pbkdf2_hmac("sha256", PASSPHRASE.encode(), SALT.encode(), 64_000).hex()


def phpbb(*, people: int = 2, posts: int = 2) -> str:
    """Return a dump of phpBB with one forum and two topics; the second was moved away and is only a shadow."""
    xml = "<r>Hello <B><s>[b]</s>you<e>[/b]</e></B> &amp; all<br/>\nsecond line</r>"
    return "".join(
        [
            "-- MySQL dump 10.13\n/*!40101 SET NAMES utf8mb4 */;\n",
            inserted(
                "phpbb_users",
                ("user_id", "user_type", "username", "user_email", "user_regdate", "user_password"),
                [
                    (1, 2, "Anonymous", "", 1_000_000_000, ""),
                    *(
                        (n, 0, f"Us'er \u00d6 {n}", f"user{n}@old.example", 1_100_000_000, "$2y$10$x")
                        for n in range(2, people + 2)
                    ),
                ],
            ),
            inserted(
                "phpbb_forums",
                ("forum_id", "forum_name", "forum_desc"),
                [(4, "Talk &amp; more", "<t>All <b>of</b> it</t>")],
            ),
            inserted(
                "phpbb_topics",
                (
                    *("topic_id", "forum_id", "topic_title", "topic_poster", "topic_time", "topic_status"),
                    *("topic_type", "topic_moved_id", "topic_visibility"),
                ),
                [
                    (7, 4, "What &quot;boots&quot; here?", 2, 1_200_000_000, 1, 1, 0, 1),
                    (8, 4, "A shadow", 2, 1_200_000_000, 2, 0, 7, 1),
                ],
            ),
            inserted(
                "phpbb_posts",
                ("post_id", "topic_id", "poster_id", "post_time", "post_text", "post_visibility"),
                [
                    *(
                        (
                            70 + n,
                            7,
                            2 + n % people,
                            1_200_000_000 + n,
                            xml if n == 1 else f"[i:3abc]Post[/i:3abc] {n}",
                            1,
                        )
                        for n in range(1, posts + 1)
                    ),
                    (99, 7, 2, 1_300_000_000, "waits", 0),
                ],
            ),
        ]
    )
