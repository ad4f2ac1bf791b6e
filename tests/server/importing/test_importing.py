"""Forums of other programs come here: members, categories, threads and posts, once, with their addresses kept alive."""

import gzip
import io
import re
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from django_tasks_db.models import DBTaskResult

from forum_dumps import PASSPHRASE, discourse, phpbb
from jeos.core.errors import InputError, UsageError
from jeos.server.accounts.models import Member
from jeos.server.content import search
from jeos.server.content.models import Notification
from jeos.server.forum import categories
from jeos.server.forum.models import Category, Post, Thread
from jeos.server.importing import loading, staging
from jeos.server.importing.models import Import, Kind, Old, Staged, State
from jeos.server.jobs import work
from jeos.server.jobs.models import Mail
from server_site import make_member, signed_in

pytestmark = pytest.mark.django_db


def bring(source: str, dump: str, folder: Path, *, prefix: str = "") -> Import:
    """Bring a forum here, part by part."""
    path = folder / "dump.sql"
    path.write_text(dump, encoding="utf-8")
    staging.stage(source, path, prefix=prefix, closed=())
    run = Import.objects.get(source=source)
    while loading.advance(run.pk):
        pass
    run.refresh_from_db()
    categories.forget()
    return run


def test_discourse_comes_with_everything_that_was_public(tmp_path: Path) -> None:
    run = bring("discourse", discourse(), tmp_path)
    assert (run.finished is not None, run.passed_over, Staged.objects.count()) == (True, 1, 0)  # the private post
    people = list(Member.objects.order_by("pk").values_list("handle", "name", "email", "trust", "posts", "threads"))
    assert people == [
        ("person1", "Person Number 1", "person1@old.example", 1, 2, 0),
        ("person2", "Person Number 2", "person2@old.example", 2, 3, 3),
        ("person3", "Person Number 3", "person3@old.example", 3, 2, 0),
        ("imported", "", None, 0, 1, 0),
    ]
    assert EmailAddress.objects.filter(verified=True, primary=True).count() == 3
    rooms = list(Category.objects.order_by("pk").values_list("slug", "description", "staff", "threads", "posts"))
    assert rooms == [("building", "How to build", False, 2, 7), ("staff", "", True, 1, 1)]
    first, second, _secret = Thread.objects.order_by("pk")
    assert (first.title, first.tags, first.closed, first.hidden, first.posts, first.last_number) == (
        *("Topic number 1", "uefi net-boot", False, False),
        *(4, 4),
    )
    assert second.closed
    posts = Post.objects.filter(thread=first).order_by("number")
    assert [(post.number, post.author.handle, post.reply_to, post.told) for post in posts] == [
        (1, "person2", None, True),
        (2, "person3", 1, True),
        (3, "person1", None, True),
        (4, "imported", 1, True),
    ]
    assert posts[0].html == "<p>Post <em>1</em> of topic 1</p>\n"
    assert posts[3].source == "> **person1**\n>\n> Well\n\nIndeed"
    assert first.made == datetime(2019, 3, 1, 10, 0, 0, 500_000, tzinfo=UTC)
    assert (first.last_by.handle, first.last_at.day) == ("imported", 9)
    hits = search.index().find(search.parse("topic number"), limit=9)
    assert [hit.number for hit in hits] == [second.pk, first.pk]


def test_nobody_is_told_of_what_is_old(tmp_path: Path) -> None:
    ada = make_member("ada")
    bring("discourse", discourse().replace("Post *2*", "Hello @ada, post *2*"), tmp_path)
    assert (Notification.objects.count(), Mail.objects.count()) == (0, 0)
    paths = set(DBTaskResult.objects.values_list("task_path", flat=True))
    assert paths == {"jeos.server.importing.tasks.advance"}
    assert ada.unread == 0


def test_passphrase_of_discourse_goes_on_working(tmp_path: Path, client: Client, settings: Any) -> None:
    settings.PASSWORD_HASHERS = [*settings.PASSWORD_HASHERS, "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    bring("discourse", discourse(), tmp_path)
    member = Member.objects.get(handle="person1")
    assert member.password.startswith("pbkdf2_sha256$64000$")
    answer = client.post("/accounts/login/", {"login": "person1", "password": PASSPHRASE})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert not Member.objects.get(handle="person2").has_usable_password()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        *(("/t/topic-number-1/1", "1"), ("/t/1", "1"), ("/t/topic-number-1/1/1", "1"), ("/t/topic/1/", "1")),
        *(
            ("/t/topic-number-1/1/3", "1#p3"),
            ("/t/-/2/2", "2#p2"),
            ("/p/203", "2#p3"),
            ("/t/topic-number-1/1/8", "1#p4"),
        ),
        ("/t/topic-number-1/1/99", "1"),
    ],
)
def test_old_address_of_discourse_leads_to_the_thread(tmp_path: Path, client: Client, old: str, new: str) -> None:
    bring("discourse", discourse(), tmp_path)
    number, _hash, place = new.partition("#")
    thread = Thread.objects.get(title=f"Topic number {number}")
    answer = client.get(old)
    expected = thread.get_absolute_url() + (f"#{place}" if place else "")
    assert (answer.status_code, answer["Location"]) == (301, expected)
    assert client.get(answer["Location"]).status_code == 200


def test_other_old_addresses_of_discourse(tmp_path: Path, client: Client) -> None:
    bring("discourse", discourse(), tmp_path)
    found = {
        "/c/building/5": "/forum/c/building/",
        "/c/parent/building/5/l/latest": "/forum/c/building/",
        "/u/Person2": "/m/person2/",
        "/u/person2/summary": "/m/person2/",
        "/tag/Net%20Boot": "/tags/net-boot/",
    }
    for old, new in found.items():
        answer = client.get(old)
        assert (old, answer.status_code) == (old, 301)
        assert client.get(answer["Location"]).status_code == 200
        assert answer["Location"] == new or new.startswith("/forum/")
    for old in (
        "/t/nothing/77",
        "/p/9001",
        "/p/9002",
        "/u/nobody",
        "/c/x/99",
        "/t/a-deleted-one/901",
        "/t/private/900",
    ):
        assert (old, client.get(old).status_code) == (old, 404)


def test_old_address_says_nothing_of_what_is_closed(tmp_path: Path, client: Client, moderator: Member) -> None:
    bring("discourse", discourse(), tmp_path)
    for old in ("/t/x/908", "/p/9005", "/c/staff/9"):
        assert client.get(old).status_code == 404
        assert signed_in(moderator).get(old).status_code == 301


def test_phpbb_comes_with_its_texts_as_markdown(tmp_path: Path, client: Client) -> None:
    run = bring("phpbb", phpbb(), tmp_path, prefix="phpbb_")
    assert run.passed_over == 0
    assert list(Member.objects.order_by("pk").values_list("handle", "name")) == [
        ("us-er-o-2", "Us'er \u00d6 2"),
        ("us-er-o-3", "Us'er \u00d6 3"),
    ]
    thread = Thread.objects.get()
    assert (thread.title, thread.closed, thread.pinned, thread.posts) == ('What "boots" here?', True, True, 2)
    assert Category.objects.get().name == "Talk & more"
    first, second = Post.objects.order_by("number")
    assert first.source == "Hello **you** & all\n\nsecond line" or first.source == "Hello **you** & all\nsecond line"
    assert second.source == "*Post* 2"
    page = thread.get_absolute_url()
    for old, new in {
        "/viewtopic.php?t=7": page,
        "/viewtopic.php?f=4&t=7&start=10": page,
        "/phpBB3/viewtopic.php?p=72": f"{page}#p2",
        "/forum-old/viewtopic.php?f=4&t=7": page,
        "/viewforum.php?f=4": Category.objects.get().get_absolute_url(),
        "/memberlist.php?mode=viewprofile&u=2": "/m/us-er-o-2/",
    }.items():
        answer = client.get(old)
        assert (old, answer.status_code, answer["Location"]) == (old, 301, new)
    for old in (
        "/viewtopic.php",
        "/viewtopic.php?t=8",
        "/viewtopic.php?t=x",
        "/viewtopic.php?t=9" + "9" * 30,
        "/viewforum.php",
    ):
        assert client.get(old).status_code == 404


def test_member_who_is_here_already_stays_one_member_and_taken_handles_are_passed(tmp_path: Path) -> None:
    here = Member.objects.create_user("ada", "Person1@old.example", "correct horse")
    make_member("person2")
    bring("discourse", discourse(), tmp_path)
    assert Old.objects.get(kind=Kind.PERSON, number=1).new == here.pk
    here.refresh_from_db()
    assert (here.handle, here.posts, here.check_password("correct horse")) == ("ada", 2, True)
    assert Member.objects.get(email="person2@old.example").handle == "person2-2"


@pytest.mark.parametrize(
    ("name", "handle"),
    [
        *(
            ("Ada", "ada"),
            ("\u00c9mile Z.", "emile-z"),
            ("__x__", "x-1"),
            ("\u5f20\u4f1f", "member"),
            ("a" * 60, "a" * 25),
        ),
        *(("-", "member"), ("a.b_c-d", "a-b_c-d")),
    ],
)
def test_handle_is_made_of_what_a_handle_may_have(name: str, handle: str) -> None:
    assert loading.free_handle(name) == handle
    member = Member(handle=handle, email="a@b.example")
    member.full_clean(exclude=["password"])


@pytest.mark.parametrize("name", ["dump.sql", "dump.sql.gz", "backup.tar.gz"])
def test_dump_is_read_however_it_is_packed(tmp_path: Path, name: str) -> None:
    data = discourse().encode()
    path = tmp_path / name
    if name.endswith(".tar.gz"):
        packed = gzip.compress(data)
        with tarfile.open(path, "w:gz") as archive:
            about = tarfile.TarInfo("dump.sql.gz")
            about.size = len(packed)
            archive.addfile(about, io.BytesIO(packed))
    else:
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    counted = staging.stage("discourse", path)
    assert {name: count for name, count in counted.items() if count} == {
        "person": 3,
        "room": 2,
        "topic": 3,
        "message": 9,
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no members"),
        (b"\xff\xfe\x00", "cannot be read"),
        (discourse().encode()[:-60], "ends within|values for"),
        (discourse().replace("2019-03-01", "yesterday").encode(), "is no time"),
        (discourse().replace("\t5\t2\t", "\tfive\t2\t").encode(), "is no number"),
        (phpbb().encode(), "no members"),
    ],
)
def test_dump_that_is_torn_or_another_brings_nothing_and_a_whole_one_may_follow(
    tmp_path: Path, data: bytes, message: str
) -> None:
    path = tmp_path / "dump.sql"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        staging.stage("discourse", path)
    assert (Staged.objects.count(), DBTaskResult.objects.count()) == (0, 0)
    run = Import.objects.get()
    assert run.state is State.UNREAD
    assert re.search(message, run.error)
    assert bring("discourse", discourse(), tmp_path).state is State.FINISHED
    assert Post.objects.count() == 8


def test_forum_comes_once(tmp_path: Path) -> None:
    bring("discourse", discourse(), tmp_path)
    with pytest.raises(UsageError, match="already"):
        staging.stage("discourse", tmp_path / "dump.sql")
    with pytest.raises(UsageError, match="not known"):
        staging.stage("vbulletin", tmp_path / "dump.sql")
    assert Post.objects.count() == 8


@pytest.mark.django_db(transaction=True)
def test_worker_goes_on_until_all_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "BATCH", 3)
    path = tmp_path / "dump.sql"
    path.write_text(discourse(), encoding="utf-8")
    staging.stage("discourse", path)
    work.work(once=True)
    assert (Post.objects.count(), Staged.objects.count()) == (8, 0)
    assert Import.objects.get().finished is not None


def test_closed_forums_of_phpbb_must_be_said_and_are_for_moderators(
    tmp_path: Path, client: Client, moderator: Member
) -> None:
    path = tmp_path / "dump.sql"
    path.write_text(phpbb(), encoding="utf-8")
    with pytest.raises(UsageError, match="which forums of phpBB were closed"):
        staging.stage("phpbb", path, prefix="phpbb_")
    staging.stage("phpbb", path, prefix="phpbb_", closed={4})
    while loading.advance(Import.objects.get().pk):
        pass
    categories.forget()
    assert Category.objects.get().staff
    assert client.get("/viewtopic.php?t=7").status_code == 404
    assert signed_in(moderator).get("/viewtopic.php?t=7").status_code == 301
    hits = search.index().find(search.parse("boots"), limit=9, hidden_areas={Category.objects.get().pk})
    assert hits == []
