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
    """Return a dump of Discourse. Person 1 has a passphrase and a title; topic 900 is private, category 9 is closed.

    Persons 1 and 2 have the same picture, which is upload 21, person 3 has upload 22.
    """
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
                (
                    *("id", "username", "name", "created_at", "trust_level", "password_hash", "salt"),
                    *("title", "uploaded_avatar_id"),
                ),
                [
                    (
                        *(n, f"Person{n}", f"Person Number {n}", day.format(1), min(n, 4)),
                        *((PASSWORD_HASH, SALT, "Founder") if n == 1 else (None, None, None)),
                        21 + (n > 2),
                    )
                    for n in range(1, people + 1)
                ],
            ),
        ]
    )


SALT = "0123456789abcdef0123456789abcdef"
PASSPHRASE = "correct horse battery"
PASSWORD_HASH = __import__("hashlib").pbkdf2_hmac("sha256", PASSPHRASE.encode(), SALT.encode(), 64_000).hex()


def discourse_responses() -> str:
    """Return the tables of what the members of `discourse` thought; post 101 has the text POLL_TEXT then."""
    day = "2019-03-04 12:00:00"
    numbered = enumerate
    likes = [
        *((101, 1, 2, None), (101, 3, 2, None), (101, 2, 2, None), (102, 1, 8, None), (102, 1, 2, day)),
        *((9001, 2, 2, None), (102, 77, 2, None), (102, 2, 2, None), (103, 3, 2, None)),
    ]
    signs = [(1, 101, 0, "+1", 1), (2, 103, 0, "laughing:t3", 1), (3, 103, 0, "angry", 1)]
    reactions = [(1, 3, 101), (2, 2, 103), (3, 3, 103), (2, 1, 9001)]
    polls = [
        (7, 101, 1, 1, 2, None, None, 3, "2019-03-05 00:00:00"),
        (8, 103, 0, 0, None, None, "Again?", None, day),
        (9, 201, 3, 0, None, None, None, None, day),
        (10, 9001, 0, 0, None, None, None, None, day),
    ]
    options = [
        *((70, 7, "UEFI &amp; <b>net</b>", 3), (71, 7, "BIOS", None), (72, 8, "Yes", None), (73, 8, "No", None)),
        *((74, 9, "First", None), (75, 9, "Second", None)),
    ]
    votes = [(7, 70, 1), (7, 71, 1), (7, 70, 3), (7, 70, 77), (8, 72, 1), (9, 74, 1)]
    topics = [(1, 1, 3, 2), (2, 1, 0, None), (3, 1, 2, 99), (1, 908, 3, 1), (3, 900, 3, 1), (3, 2, 1, 1), (77, 1, 3, 1)]
    return "".join(
        [
            copied("badges", ("id", "name"), [(1, "Basic"), (2, "Founder")]),
            copied(
                "category_users",
                ("id", "category_id", "user_id", "notification_level"),
                [(1, 5, 1, 4), (2, 5, 2, 0), (3, 5, 3, 2), (4, 9, 1, 3)],
            ),
            copied(
                "discourse_reactions_reaction_users",
                ("id", "reaction_id", "user_id", "created_at", "post_id"),
                [(n, which, person, day, post) for n, (which, person, post) in numbered(reactions, 1)],
            ),
            copied(
                "discourse_reactions_reactions",
                ("id", "post_id", "reaction_type", "reaction_value", "reaction_users_count"),
                signs,
            ),
            copied("poll_options", ("id", "poll_id", "html", "anonymous_votes"), options),
            copied("poll_votes", ("poll_id", "poll_option_id", "user_id"), votes),
            copied(
                "polls",
                (
                    *("id", "post_id", "type", "status", "max", "close_at", "title", "anonymous_voters"),
                    *("updated_at",),
                ),
                polls,
            ),
            copied(
                "post_actions",
                ("id", "post_id", "user_id", "post_action_type_id", "deleted_at", "created_at"),
                [(n, *said, day) for n, said in numbered(likes, 1)],
            ),
            copied("tag_users", ("id", "tag_id", "user_id", "notification_level"), [(1, 2, 1, 3), (2, 1, 2, 2)]),
            copied(
                "topic_users",
                ("id", "user_id", "topic_id", "notification_level", "last_read_post_number"),
                [(n, *said) for n, said in numbered(topics, 1)],
            ),
            copied("user_badges", ("id", "badge_id", "user_id"), [(1, 1, 1), (2, 2, 1)]),
            copied("user_profiles", ("user_id", "bio_raw"), [(1, "I build *images*."), (2, None)]),
        ]
    )


POLL_TEXT = "[poll type=multiple results=always max=2]\n# Which?\n* UEFI\n* BIOS\n[/poll]\n\nPlease say."


def phpbb_responses() -> str:
    """Return the tables of what the members of `phpbb` thought, who have pictures; topic 7 has a poll."""
    return "".join(
        [
            inserted("phpbb_config", ("config_name", "config_value"), [("avatar_salt", "5a17"), ("sitename", "Old")]),
            inserted("phpbb_forums_watch", ("forum_id", "user_id", "notify_status"), [(4, 2, 0), (9, 2, 0)]),
            inserted(
                "phpbb_poll_options",
                ("poll_option_id", "topic_id", "poll_option_text", "poll_option_total"),
                [(1, 7, "<t>Yes &amp; no</t>", 1), (2, 7, "[b:1x]Never[/b:1x]", 0)],
            ),
            inserted("phpbb_poll_votes", ("topic_id", "poll_option_id", "vote_user_id"), [(7, 1, 3), (7, 2, 3)]),
            inserted(
                "phpbb_posts_likes", ("post_id", "user_id", "type", "timestamp"), [(71, 2, "post", 1_250_000_001)]
            ),
            inserted(
                "phpbb_thanks",
                ("post_id", "poster_id", "user_id", "topic_id", "forum_id", "thanks_time"),
                [(71, 3, 2, 7, 4, 1_250_000_000), (72, 2, 3, 7, 4, 1_250_000_000), (99, 2, 3, 7, 4, 1_250_000_000)],
            ),
            inserted("phpbb_topics_watch", ("topic_id", "user_id", "notify_status"), [(7, 3, 0), (8, 3, 0)]),
        ]
    )


def phpbb(*, people: int = 2, posts: int = 2, responses: bool = False) -> str:
    """Return a dump of phpBB with one forum and two topics; the second was moved away and is only a shadow.

    With `responses`, member 2 has a picture that was uploaded, member 3 one elsewhere, and topic 7 a poll of a day.
    """
    pictures = {2: ("2_1199999999.png", "avatar.driver.upload"), 3: ("user3@old.example", "avatar.driver.gravatar")}
    xml = "<r>Hello <B><s>[b]</s>you<e>[/b]</e></B> &amp; all<br/>\nsecond line</r>"
    return "".join(
        [
            "-- MySQL dump 10.13\n/*!40101 SET NAMES utf8mb4 */;\n",
            inserted(
                "phpbb_users",
                (
                    *("user_id", "user_type", "username", "user_email", "user_regdate", "user_password"),
                    *("user_rank", "user_avatar", "user_avatar_type"),
                ),
                [
                    (1, 2, "Anonymous", "", 1_000_000_000, "", 0, "", ""),
                    *(
                        (
                            *(n, 0, f"Us'er \u00d6 {n}", f"user{n}@old.example", 1_100_000_000, "$2y$10$x"),
                            *(int(responses), *(pictures.get(n, ("", "")) if responses else ("", ""))),
                        )
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
                    *("poll_title", "poll_start", "poll_length", "poll_max_options"),
                ),
                [
                    (
                        *(7, 4, "What &quot;boots&quot; here?", 2, 1_200_000_000, 1, 1, 0, 1),
                        *(("Does &quot;it&quot;?", 1_200_000_000, 86_400, 1) if responses else ("", 0, 0, 1)),
                    ),
                    (8, 4, "A shadow", 2, 1_200_000_000, 2, 0, 7, 1, "", 0, 0, 1),
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
            phpbb_responses() if responses else "",
        ]
    )
