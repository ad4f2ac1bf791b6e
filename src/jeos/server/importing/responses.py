"""What members of an old forum thought of what others wrote: polls, votes, reactions, following and muting.

A forum has more of these than posts, so they are made by the thousand, with few queries. Each function takes records of
one kind and returns how many of them found what they are about. Nobody is told.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import following, kinds, reactions, tags
from jeos.server.content.models import Following, Level, Reaction
from jeos.server.forum import reading
from jeos.server.forum.models import Category, Option, Poll, Post, Thread, Vote
from jeos.server.importing.models import Kind, Old

MOST_ANSWERS = 100  # of one poll
BATCH = 200  # rows of one statement
Data = dict[str, Any]


def news(source: str, kind: Kind, numbers: Iterable[int]) -> dict[int, int]:
    """Return what old numbers have become, as far as they have."""
    rows = Old.objects.filter(source=source, kind=kind, number__in=set(numbers))
    return dict(rows.values_list("number", "new"))


def poll(source: str, data: Data) -> bool:
    """Put a poll above its thread. Return False where that did not come, or has one already."""
    thread = _thread_of(source, data)
    named = {one["number"]: one for one in data["answers"] if str(one["text"]).strip()}
    answers = list(named.values())[:MOST_ANSWERS]
    if thread is None or len(answers) < 2 or Poll.objects.filter(thread=thread).exists():
        return False
    made = Poll.objects.create(
        thread=thread,
        question=" ".join(str(data["question"] or thread.title).split())[:200],
        choices=min(max(1, data["choices"]), len(answers)),
        closes=datetime.fromisoformat(data["closes"]) if data["closes"] else None,
        voters=_known(data["voters"]),
    )
    for one in answers:
        option = Option.objects.create(
            poll=made, text=" ".join(str(one["text"]).split())[:120], votes=_known(one["votes"])
        )
        Old.objects.get_or_create(source=source, kind=Kind.ANSWER, number=one["number"], defaults={"new": option.pk})
    Old.objects.create(source=source, kind=Kind.POLL, number=data["number"], new=made.pk)
    return True


def _known(count: int) -> int:
    """Return a count that fits into its column."""
    return min(max(0, count), (1 << 31) - 1)


def _thread_of(source: str, data: Data) -> Thread | None:
    if data["topic"]:
        number = news(source, Kind.TOPIC, [data["topic"]]).get(data["topic"], 0)
        return Thread.objects.filter(pk=number).first()
    number = news(source, Kind.MESSAGE, [data["message"]]).get(data["message"], 0)
    found = Post.objects.select_related("thread").filter(pk=number).first()
    return found.thread if found else None


def ballots(source: str, rows: Sequence[Data]) -> int:
    """Count votes in polls, none twice, and no more than a poll lets somebody have."""
    people = news(source, Kind.PERSON, (row["person"] for row in rows))
    answers = news(source, Kind.ANSWER, (row["answer"] for row in rows))
    options = Option.objects.select_related("poll").in_bulk(set(answers.values()))
    old = Vote.objects.filter(
        option__poll__in={one.poll_id for one in options.values()}, member__in=set(people.values())
    )
    chosen: dict[tuple[int, int], set[int]] = defaultdict(set)  # by poll and member
    for option, of_poll, member in old.values_list("option_id", "option__poll_id", "member_id"):
        chosen[of_poll, member].add(option)
    made: list[Vote] = []
    voters: Counter[int] = Counter()
    for row in rows:
        found, voter = options.get(answers.get(row["answer"], 0)), people.get(row["person"])
        if found is None or voter is None:
            continue
        own = chosen[found.poll_id, voter]
        if found.pk in own or len(own) >= found.poll.choices:
            continue
        voters[found.poll_id] += not own
        own.add(found.pk)
        made.append(Vote(option_id=found.pk, member_id=voter))
    Vote.objects.bulk_create(made, batch_size=BATCH)
    for option, count in Counter(vote.option_id for vote in made).items():
        Option.objects.filter(pk=option).update(votes=F("votes") + count)
    for of_poll, count in voters.items():
        Poll.objects.filter(pk=of_poll).update(voters=F("voters") + count)
    return len(made)


def react(source: str, rows: Sequence[Data]) -> int:
    """Add reactions to posts, and count them on the posts, their threads and authors. One's own do not count."""
    people = news(source, Kind.PERSON, (row["person"] for row in rows))
    messages = news(source, Kind.MESSAGE, (row["message"] for row in rows))
    posts = {post.pk: post for post in Post.objects.filter(pk__in=set(messages.values())).order_by("pk")}
    wanted: dict[tuple[int, int, int], datetime] = {}
    for row in rows:
        post, member = posts.get(messages.get(row["message"], 0)), people.get(row["person"])
        if post is not None and member is not None and member != post.author_id and row["sign"] in reactions.SIGNS:
            wanted.setdefault((post.pk, member, row["sign"]), datetime.fromisoformat(row["made"]))
    old = Reaction.objects.filter(kind=kinds.POST, number__in=set(posts), member__in=set(people.values()))
    for known in old.values_list("number", "member_id", "sign"):
        wanted.pop(known, None)
    Reaction.objects.bulk_create(
        [
            Reaction(member_id=member, kind=kinds.POST, number=number, sign=sign, date=made)
            for (number, member, sign), made in wanted.items()
        ],
        batch_size=BATCH,
    )
    _count(posts, wanted)
    return len(wanted)


def _count(posts: dict[int, Post], new: Iterable[tuple[int, int, int]]) -> None:
    """Add new reactions (post, member, sign) to the counters."""
    authors: Counter[int] = Counter()
    threads: Counter[int] = Counter()
    changed: dict[int, Post] = {}
    for number, _member, sign in new:
        post = changed[number] = posts[number]
        post.reactions = {**post.reactions, str(sign): post.reactions.get(str(sign), 0) + 1}
        authors[post.author_id] += 1
        threads[post.thread_id] += post.number == 1
    Post.objects.bulk_update(changed.values(), ["reactions"], batch_size=BATCH)
    for author, count in sorted(authors.items()):
        Member.objects.filter(pk=author).update(thanks=F("thanks") + count)
    for thread, count in sorted((+threads).items()):
        Thread.objects.filter(pk=thread).update(thanks=F("thanks") + count)


def follow(source: str, rows: Sequence[Data]) -> int:
    """Let members follow or mute what they did there, and have read what they had; what they said here stays.

    What is for moderators only has no followers from there, since they would be told of it.
    """
    people = news(source, Kind.PERSON, (row["person"] for row in rows))
    topics = news(source, Kind.TOPIC, (row["topic"] for row in rows))
    rooms = news(source, Kind.ROOM, (row["room"] for row in rows))
    words = {row["tag"] for row in rows if row["tag"]}
    names = {word: tag.pk for word in words for tag in tags.resolve([tags.normal(word)], create=False)}
    closed = set(Category.objects.filter(staff=True).values_list("pk", flat=True))
    shown = Thread.objects.filter(pk__in=set(topics.values())).exclude(category__in=closed)
    threads = set(shown.values_list("pk", flat=True))
    made: list[Following] = []
    came, now = 0, timezone.now()
    for row in rows:
        member, thread, room = people.get(row["person"]), topics.get(row["topic"]), rooms.get(row["room"])
        if member is None:
            continue
        about: tuple[int, int] | None = None
        if thread is not None and thread in threads:
            about = (kinds.THREAD, thread)
            _read(source, row, member=member, thread=thread)
        elif room is not None and room not in closed:
            about = (following.CATEGORY, room)
        elif row["tag"] in names:
            about = (following.TAG, names[row["tag"]])
        if about is None:
            continue
        came += 1
        if row["level"] in (Level.FOLLOWED, Level.MUTED):
            made.append(Following(member_id=member, kind=about[0], number=about[1], level=row["level"], since=now))
    Following.objects.bulk_create(made, batch_size=BATCH, ignore_conflicts=True)
    return came


def _read(source: str, row: Data, *, member: int, thread: int) -> None:
    """Note up to which post of a thread somebody had read."""
    if not row["read"]:
        return
    old = Old.objects.filter(source=source, topic=row["topic"], place__lte=row["read"], kind=Kind.MESSAGE)
    last = old.order_by("-place").values_list("new", flat=True).first()
    number = Post.objects.filter(pk=last or 0, thread=thread).values_list("number", flat=True).first()
    if number:
        reading.mark(member, thread, number)


BULK: dict[Kind, Callable[[str, Sequence[Data]], int]] = {
    Kind.BALLOT: ballots,
    Kind.REACTION: react,
    Kind.INTEREST: follow,
}
