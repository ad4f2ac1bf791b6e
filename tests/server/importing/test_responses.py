"""What members of old forums thought of what others wrote comes along, once, and is counted in a report."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

import upload_files
from forum_dumps import POLL_TEXT, discourse, discourse_responses, inserted, phpbb
from jeos.core.errors import InputError
from jeos.server.accounts.models import Member
from jeos.server.content import following, kinds
from jeos.server.content.models import Following, Notification, Reaction
from jeos.server.forum import categories
from jeos.server.forum.models import Category, Option, Poll, Post, ReadThread, Thread, Vote
from jeos.server.importing import loading, staging, standing, tasks
from jeos.server.importing.models import Import, Kind, Staged, State
from jeos.server.importing.sources.discourse_responses import _parts
from jeos.server.jobs.models import Mail
from server_site import make_member, signed_in

pytestmark = pytest.mark.django_db
TITLE = "Topic number 1"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Settings) -> None:
    settings.FILES = tmp_path / "kept"


def bring(path: Path, dump: str, *, source: str = "discourse", faces: Path | None = None) -> Import:
    """Bring a forum here."""
    path.write_text(dump, encoding="utf-8")
    staging.stage(source, path, prefix="phpbb_" if source == "phpbb" else "", closed=(), faces=faces)
    return loaded()


def loaded() -> Import:
    """Make content of all that waits, or as far as that goes."""
    run = Import.objects.get()
    while run.state is State.LOADING:
        tasks.advance.func(run.pk, run.turn)
        run.refresh_from_db()
    categories.forget()
    return run


def whole() -> str:
    return discourse().replace("Post *1* of topic 1", POLL_TEXT.replace("\n", "\\n")) + discourse_responses()


def handles(found: Any) -> list[tuple[object, ...]]:
    return sorted(found)


def test_likes_and_reactions_of_discourse_are_reactions_here(tmp_path: Path) -> None:
    bring(tmp_path / "dump.sql", whole())
    thread = Thread.objects.get(title=TITLE)
    found = Reaction.objects.filter(kind=kinds.POST).values_list("number", "member__handle", "sign")
    posts = dict(Post.objects.filter(thread=thread).values_list("pk", "number"))
    assert handles((posts[post], who, sign) for post, who, sign in found) == [
        (1, "person1", 1),
        (1, "person3", 3),  # whose like stood for it
        (2, "person2", 1),
        (3, "person2", 4),
    ]
    assert list(Post.objects.filter(thread=thread).order_by("number").values_list("reactions", flat=True)) == [
        {"1": 1, "3": 1},
        {"1": 1},
        {"4": 1},
        {},
    ]
    assert thread.thanks == 2
    thanks = dict(Member.objects.values_list("handle", "thanks"))
    assert thanks == {"person1": 1, "person2": 2, "person3": 1, "imported": 0}
    assert {row.date for row in Reaction.objects.all()} == {datetime(2019, 3, 4, 12, tzinfo=UTC)}
    assert (Notification.objects.count(), Mail.objects.count()) == (0, 0)


def test_poll_of_discourse_stands_above_its_thread_with_its_votes(tmp_path: Path, client: Client) -> None:
    bring(tmp_path / "dump.sql", whole())
    poll = Poll.objects.get()
    assert (poll.thread.title, poll.question, poll.choices, poll.closes) == (
        *(TITLE, "Which?", 2),
        datetime(2019, 3, 5, tzinfo=UTC),
    )
    assert list(Option.objects.values_list("text", "votes")) == [("UEFI & net", 5), ("BIOS", 1)]
    assert poll.voters == 5
    votes = Vote.objects.values_list("member__handle", "option__text")
    assert handles(votes) == [("person1", "BIOS"), ("person1", "UEFI & net"), ("person3", "UEFI & net")]
    assert Post.objects.get(thread=poll.thread, number=1).source == "Please say."
    page = client.get(poll.thread.get_absolute_url()).content.decode()
    assert "UEFI &amp; net" in page


def test_poll_that_is_all_that_a_post_says_stays_a_list_too(tmp_path: Path) -> None:
    text = POLL_TEXT.partition("\n\n")[0].replace("\n", "\\n")
    bring(tmp_path / "dump.sql", discourse().replace("Post *1* of topic 1", text) + discourse_responses())
    assert Post.objects.get(thread__title=TITLE, number=1).source == "# Which?\n* UEFI\n* BIOS"
    assert Poll.objects.get().voters == 5


def test_watching_tracking_and_muting_of_discourse(tmp_path: Path) -> None:
    bring(tmp_path / "dump.sql", whole())
    thread, room = Thread.objects.get(title=TITLE), Category.objects.get(slug="building")
    found = Following.objects.values_list("member__handle", "kind", "number", "level")
    tag = next(number for _who, kind, number, _level in found if kind == following.TAG)
    assert handles(found) == [
        ("person1", following.CATEGORY, room.pk, 1),
        ("person1", following.TAG, tag, 1),
        ("person1", kinds.THREAD, thread.pk, 1),
        ("person2", following.CATEGORY, room.pk, -1),
        ("person2", kinds.THREAD, thread.pk, -1),
    ]
    read = ReadThread.objects.values_list("member__handle", "thread", "number")
    assert handles(read) == [("person1", thread.pk, 2), ("person3", thread.pk, 4)]


def test_report_counts_each_kind_and_what_has_no_place(tmp_path: Path, administrator: Member) -> None:
    run = bring(tmp_path / "dump.sql", whole())
    assert run.report == {
        "came": {
            "person": 3,
            "room": 2,
            "topic": 3,
            "message": 8,
            "poll": 1,
            "ballot": 3,
            "reaction": 4,
            "interest": 6,
        },
        "left": {"message": 1, "poll": 2, "ballot": 3, "reaction": 4, "interest": 4},
        "unplaced": {"badge": 2, "title": 1, "reaction": 1, "poll": 1, "tracked": 2, "private": 1},
    }
    assert run.passed_over == sum(run.report["left"].values())
    assert run.done == run.total == sum(run.report["came"].values()) + run.passed_over
    told = standing.told("discourse").splitlines()
    assert "  Reactions: 4, 4 passed over" in told
    assert "  no place here: Badges: 2" in told
    page = " ".join(signed_in(administrator).get("/administration/imports/").content.decode().split())
    assert "<td>Votes in polls</td><td>3</td><td>3</td>" in page
    assert "<td>Titles and ranks</td><td>1</td>" in page
    assert Member.objects.get(handle="person1").about == "I build *images*."


def test_what_members_said_here_stays_and_nothing_comes_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MANY", 1)
    here = Member.objects.create_user("ada", "person2@old.example", "correct horse")
    room_of: dict[str, int] = {}
    real = loading.room

    def muted(source: str, data: dict[str, Any]) -> bool:
        made = real(source, data)
        if data["name"] == "Building":
            room_of["pk"] = Category.objects.get(name="Building").pk
            Following.objects.create(member=here, kind=following.CATEGORY, number=room_of["pk"], level=1)
        return made

    monkeypatch.setitem(loading.LOADERS, Kind.ROOM, muted)
    run = bring(tmp_path / "dump.sql", whole() + discourse_responses())  # each response twice
    assert Following.objects.get(member=here, kind=following.CATEGORY).level == 1
    assert (Reaction.objects.count(), Vote.objects.count(), run.report["came"]["reaction"]) == (4, 3, 4)
    assert list(Option.objects.values_list("votes", flat=True)) == [5, 1]


def test_response_that_breaks_is_found_among_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "dump.sql"
    path.write_text(whole(), encoding="utf-8")
    staging.stage("discourse", path)
    broken = Staged.objects.filter(kind=Kind.REACTION).order_by("topic", "place", "number")[0]
    Staged.objects.filter(pk=broken.pk).update(data={**broken.data, "made": "never"})
    run = loaded()
    assert (run.state, run.stuck) == (State.FAILED, broken.pk)
    assert run.error == f"reaction {broken.number}: ValueError: Invalid isoformat string: 'never'"
    assert Reaction.objects.count() == 0
    standing.resume("discourse", without=True)
    run = loaded()
    assert run.state is State.FINISHED
    assert run.report["came"]["reaction"] + run.report["left"]["reaction"] == 8
    assert Reaction.objects.count() == 3


def test_phpbb_comes_with_its_poll_thanks_watches_and_pictures(tmp_path: Path, client: Client) -> None:
    faces = tmp_path / "upload"
    faces.mkdir()
    (faces / "5a17_2.png").write_bytes(upload_files.drawing())
    run = bring(tmp_path / "forum.sql", phpbb(responses=True), source="phpbb", faces=faces)
    assert (run.state, run.notes) == (State.FINISHED, [])
    poll = Poll.objects.get()
    assert (poll.question, poll.choices, poll.voters) == ('Does "it"?', 1, 1)
    assert poll.closes == datetime.fromtimestamp(1_200_086_400, tz=UTC)
    assert list(Option.objects.values_list("text", "votes")) == [("Yes & no", 1), ("Never", 0)]
    thread = Thread.objects.get()
    posts = Post.objects.order_by("number")
    assert [(post.number, post.reactions) for post in posts] == [(1, {"1": 1}), (2, {"1": 1})]
    assert Reaction.objects.order_by("date", "pk").values_list("date", flat=True)[0].year == 2009
    found = Following.objects.values_list("member__handle", "kind", "number", "level")
    assert handles(found) == [
        ("us-er-o-2", following.CATEGORY, thread.category_id, 1),
        ("us-er-o-3", kinds.THREAD, thread.pk, 1),
    ]
    member = Member.objects.get(handle="us-er-o-2")
    answer = client.get(f"/faces/{member.picture}.webp")
    assert (answer.status_code, b"".join(answer)[:4]) == (200, b"RIFF")
    assert run.report["came"] == {
        **{"person": 2, "room": 1, "topic": 1, "message": 2, "face": 1, "poll": 1, "ballot": 1, "reaction": 2},
        "interest": 2,
    }
    assert run.report["unplaced"] == {"title": 2, "picture": 1}


def test_pictures_of_phpbb_without_their_folder_are_said_to_be_missing(tmp_path: Path) -> None:
    run = bring(tmp_path / "forum.sql", phpbb(responses=True), source="phpbb")
    assert run.notes == ["1 pictures of members: neither the dump nor --faces has them"]
    assert run.report["left"]["face"] == 1
    assert set(Member.objects.values_list("picture", flat=True)) == {""}


@pytest.mark.parametrize(
    ("salt", "message"),
    [("../../etc", "outside of the folder"), ("/etc/x", "outside of the folder"), ("a\\", "outside")],
)
def test_dump_of_phpbb_that_names_a_picture_elsewhere_is_refused(tmp_path: Path, salt: str, message: str) -> None:
    faces = tmp_path / "upload"
    faces.mkdir()
    dump = phpbb(responses=True).replace("5a17", salt.replace("\\", "\\\\"))
    with pytest.raises(InputError, match=message):
        bring(tmp_path / "forum.sql", dump, source="phpbb", faces=faces)
    assert Import.objects.get().state is State.UNREAD


@pytest.mark.parametrize(
    ("table", "columns", "row"),
    [
        ("poll_options", ("poll_option_id", "topic_id", "poll_option_text"), (70_000, 7, "x")),
        ("poll_options", ("poll_option_id", "topic_id", "poll_option_text"), (-1, 7, "x")),
        ("thanks", ("post_id", "user_id", "thanks_time"), (71, 2, -5)),
        ("topics_watch", ("topic_id", "user_id"), ("seven", 2)),
    ],
)
def test_responses_that_are_none_are_refused(
    tmp_path: Path, table: str, columns: tuple[str, ...], row: tuple[int | str, ...]
) -> None:
    with pytest.raises(InputError, match="is no"):
        bring(tmp_path / "forum.sql", phpbb() + inserted(f"phpbb_{table}", columns, [row]), source="phpbb")
    assert Staged.objects.count() == 0


def test_moderator_alone_follows_what_is_closed(tmp_path: Path) -> None:
    bring(tmp_path / "dump.sql", whole())
    closed = Category.objects.get(staff=True)
    assert not Following.objects.filter(kind=following.CATEGORY, number=closed.pk).exists()
    assert not Following.objects.filter(kind=kinds.THREAD, number__in=Thread.objects.filter(category=closed)).exists()


def test_member_with_a_picture_here_keeps_it(tmp_path: Path) -> None:
    here = make_member("ada")
    Member.objects.filter(pk=here.pk).update(email="user2@old.example", picture="0" * 64)
    faces = tmp_path / "upload"
    faces.mkdir()
    (faces / "5a17_2.png").write_bytes(upload_files.drawing())
    run = bring(tmp_path / "forum.sql", phpbb(responses=True), source="phpbb", faces=faces)
    here.refresh_from_db()
    assert (here.picture, run.report["left"]["face"]) == ("0" * 64, 1)


@given(st.lists(st.sampled_from(["[poll]\n", "[poll type=x]\n", "[/poll]", "* a\n", "\n", "x", "[poll"]), max_size=30))
def test_parts_of_a_text_are_the_text_without_the_marks_of_its_polls(pieces: list[str]) -> None:
    text = "".join(pieces)
    parts = list(_parts(text))
    assert [is_poll for _part, is_poll in parts] == [bool(place % 2) for place in range(len(parts))]
    assert "".join(part for part, _is_poll in parts).count("*") == text.count("*")


@pytest.mark.parametrize("piece", ["[poll]\n", "[poll", "[poll]", "\n[poll]\n", "[/poll]"])
def test_polls_without_end_cost_little(piece: str) -> None:
    assert "".join(part for part, _is_poll in _parts("[/poll]" + piece * 30_000)).endswith(piece)
