"""Imports that administrators start: chosen or uploaded dumps, checked first or not, read by a worker, begun anew."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

import upload_files
from forum_dumps import discourse, discourse_responses, phpbb
from jeos.core.errors import InputError, UsageError
from jeos.server.accounts.models import Member
from jeos.server.content.models import AuditEntry
from jeos.server.forum.models import Category, Post
from jeos.server.importing import dumps, gathering, staging, starting, tasks
from jeos.server.importing.models import Import, Staged, State
from jeos.server.importing.records import Record
from jeos.server.jobs import work
from server_site import signed_in

pytestmark = pytest.mark.django_db
PAGE = "/administration/imports/"
NEW = f"{PAGE}new/"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Settings) -> Path:
    """The folder of dumps, with one of each program."""
    settings.FILES, settings.IMPORTS = tmp_path / "kept", tmp_path / "imports"
    folder = tmp_path / "imports"
    (folder / "old/upload").mkdir(parents=True)
    (folder / "old/upload/5a17_2.png").write_bytes(upload_files.drawing())
    (folder / "discourse.sql").write_text(discourse() + discourse_responses(), encoding="utf-8")
    (folder / "forum.sql").write_text(phpbb(responses=True), encoding="utf-8")
    return folder


def chosen(**more: object) -> dict[str, object]:
    return {"source": "discourse", "file": "discourse.sql", "action": "look", **more}


@pytest.mark.django_db(transaction=True)
def test_dump_is_checked_first_and_brought_then(administrator: Member) -> None:
    client = signed_in(administrator)
    assert "discourse.sql" in client.get(NEW).content.decode()
    answer = client.post(NEW, chosen())
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    assert "its dump is read" in client.get(PAGE).content.decode()
    work.work(once=True)
    run = Import.objects.get()
    assert (run.state, Staged.objects.count(), Post.objects.count()) == (State.CHECKED, 0, 0)
    assert run.report["found"] == {
        **{"person": 3, "room": 2, "topic": 3, "message": 9, "poll": 3, "ballot": 6, "reaction": 8, "interest": 10},
    }
    page = " ".join(client.get(PAGE).content.decode().split())
    assert "<td>Votes in polls</td><td>6</td>" in page
    assert "<td>Badges</td><td>2</td>" in page

    assert client.post(f"{PAGE}{run.pk}/", {"action": "bring"}).status_code == 302
    work.work(once=True)
    run.refresh_from_db()
    assert (run.state, run.error, Post.objects.count()) == (State.FINISHED, "", 8)
    assert run.report["unplaced"]["badge"] == 2
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == ["import.start", "import.bring"]
    answer = client.post(NEW, chosen(action="bring"))
    assert "came here already" in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_forum_of_phpbb_comes_with_what_was_chosen(administrator: Member) -> None:
    wanted = chosen(source="phpbb", file="forum.sql", faces="old/upload", closed="4, 9", action="bring")
    assert signed_in(administrator).post(NEW, wanted).status_code == 302
    work.work(once=True)
    run = Import.objects.get()
    assert (run.state, run.notes, run.report["came"]["face"]) == (State.FINISHED, [], 1)
    assert Category.objects.get().staff


def test_small_dump_comes_by_the_browser(administrator: Member, folder: Path) -> None:
    client = signed_in(administrator)
    dump = SimpleUploadedFile("../my dump.sql", discourse().encode())
    assert client.post(NEW, chosen(file="", dump=dump)).status_code == 302
    assert (folder / "my dump.sql").read_text() == discourse()
    assert Import.objects.get().wanted["file"] == "my dump.sql"
    for name, said in (("my dump.sql", "There is a file my dump.sql"), ("x.exe", "x.exe is no dump")):
        answer = client.post(NEW, chosen(file="", dump=SimpleUploadedFile(name, b"x")))
        assert said in answer.content.decode()
    assert sorted(path.name for path in folder.iterdir()) == ["discourse.sql", "forum.sql", "my dump.sql", "old"]


def test_dump_that_does_not_fit_is_not_kept(
    administrator: Member, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "RESERVE", 1 << 60)
    answer = signed_in(administrator).post(NEW, chosen(file="", dump=SimpleUploadedFile("a.sql", b"x")))
    assert "a.sql does not fit onto the disk." in answer.content.decode()
    assert not (folder / "a.sql").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"file": ""}, "Choose one dump"),
        ({"dump": SimpleUploadedFile("a.sql", b"x")}, "Choose one dump"),
        ({"file": "../kept/x.sql"}, "Select a valid choice"),
        ({"file": "link.sql"}, "Select a valid choice"),
        ({"folder": ".."}, "Select a valid choice"),
        ({"folder": "linked"}, "Select a valid choice"),
        ({"source": "vbulletin"}, "Select a valid choice"),
        ({"source": "phpbb"}, "Say which forums of phpBB were closed"),
        ({"source": "phpbb", "closed": "4; DROP"}, "Numbers with commas between"),
        ({"tables": "x' --"}, "Enter a valid value"),
    ],
)
def test_what_cannot_be_is_said(administrator: Member, folder: Path, more: dict[str, object], said: str) -> None:
    (folder / "link.sql").symlink_to(folder / "discourse.sql")
    (folder / "linked").symlink_to(folder / "old")
    answer = signed_in(administrator).post(NEW, chosen(**more))
    assert said in answer.content.decode()
    assert (Import.objects.count(), DBTaskResult.objects.count()) == (0, 0)


@pytest.mark.parametrize("kind", ["gone", "link"])
def test_dump_that_was_taken_away_or_changed_for_a_link_is_not_read(folder: Path, kind: str) -> None:
    run = starting.start("discourse", WANTED, look=False)
    (folder / "discourse.sql").unlink()
    if kind == "link":
        (folder / "discourse.sql").symlink_to(folder / "forum.sql")
    tasks.read.func(run.pk, run.turn + 1)
    run.refresh_from_db()
    assert run.state is State.UNREAD
    assert run.error.startswith("there is no" if kind == "gone" else "discourse.sql leads out")


WANTED = {"file": "discourse.sql", "files": "", "faces": "", "prefix": "", "closed": None}


def test_dump_that_is_torn_is_read_again_when_it_is_mended(administrator: Member, folder: Path) -> None:
    whole = (folder / "discourse.sql").read_text()
    (folder / "discourse.sql").write_text(whole[:-12])
    client = signed_in(administrator)
    client.post(NEW, chosen(action="bring"))
    run = Import.objects.get()
    tasks.read.func(run.pk, run.turn)
    run.refresh_from_db()
    assert (run.state, Staged.objects.count()) == (State.UNREAD, 0)
    page = client.get(PAGE).content.decode()
    assert "Read it again from the beginning" in page
    (folder / "discourse.sql").write_text(whole)
    client.post(f"{PAGE}{run.pk}/", {"action": "reread"})
    run.refresh_from_db()
    tasks.read.func(run.pk, run.turn - 1)  # the task of before
    assert Staged.objects.count() == 0
    tasks.read.func(run.pk, run.turn)
    run.refresh_from_db()
    assert (run.state, run.total, Staged.objects.count()) == (State.LOADING, 44, 44)
    tasks.read.func(run.pk, run.turn)  # once more, as after a worker that was thought dead
    assert Staged.objects.count() == 44


def test_reader_that_was_thought_dead_ends_when_another_has_begun(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "BATCH", 4)
    real = dumps.records
    other: list[bool] = []

    def slow(*given: Any, **more: Any) -> Iterator[Record]:
        for place, record in enumerate(real(*given, **more)):
            if place == 10 and not other:
                other.append(True)
                gathering.shelf("discourse").mkdir(parents=True)
                (gathering.shelf("discourse") / "of-before").write_bytes(b"")
                assert staging.stage("discourse", folder / "discourse.sql")["person"] == 3
            yield record

    monkeypatch.setattr(dumps, "records", slow)
    with pytest.raises(UsageError, match="was read already"):
        staging.stage("discourse", folder / "discourse.sql")
    run = Import.objects.get()
    assert (run.state, run.error, run.total, Staged.objects.count()) == (State.LOADING, "", 44, 44)
    assert not gathering.shelf("discourse").exists()


def test_checking_says_of_another_dump_that_it_is_another() -> None:
    run = starting.start("discourse", {**WANTED, "file": "forum.sql"}, look=True)
    with pytest.raises(InputError, match="no members or no posts"):
        starting.read(run.pk, run.turn + 1)
    assert Import.objects.get().state is State.UNREAD


def test_large_upload_is_refused_before_it_is_read(people: dict[str, Client], settings: Settings) -> None:
    settings.FILE_BYTES = 1 << 10
    data = bytes(2 << 20)
    for client in people.values():
        assert client.post(NEW, chosen(file="", dump=SimpleUploadedFile("a.sql", data))).status_code == 413


def test_folders_are_offered_by_name_and_without_links(folder: Path) -> None:
    (folder / ".hidden").mkdir()
    (folder / "old/a/b/c").mkdir(parents=True)
    (folder / "old/link").symlink_to(folder)
    assert starting.folders() == ["old", "old/a", "old/upload", "old/a/b"]
    assert [one.name for one in starting.offered()] == ["discourse.sql", "forum.sql"]
