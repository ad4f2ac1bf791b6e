"""A whole site as files and back: the same bytes, on both databases; nothing else is taken for an archive."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as bounds
from hypothesis import strategies as st
from pytest_django import Settings

import upload_files
from jeos.core.errors import InputError, UsageError
from jeos.server import demo
from jeos.server.accounts.models import Member, Token
from jeos.server.archive import export, restore, tables
from jeos.server.content import attachments, search
from jeos.server.content.models import Document
from jeos.server.forum import categories, posting
from jeos.server.forum.models import Category, Thread
from jeos.server.webhooks import sending
from jeos.server.webhooks.models import Hook

pytestmark = pytest.mark.django_db


def empty() -> None:
    """Delete everything, as in a new site."""
    search.index().remove([(row.kind, row.number) for row in Document.objects.all()])
    for model in apps.get_models():
        if model._meta.managed and model._meta.app_label != "contenttypes":
            model._default_manager.all()._raw_delete(connection.alias)
    categories.forget()


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files of a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_example_community_comes_back_byte_for_byte(tmp_path: Path, client: Client) -> None:
    demo.fill()
    ada = Member.objects.exclude(about="").first()
    assert ada is not None
    Token.make(ada, name="program", writes=True, expires=None)
    sending.test(Hook.objects.create(owner=ada, address="https://hooks.example/", types=["thread.created"]))
    pages = ("/", "/wiki/", "/blog/", "/ideas/", "/practices/", "/tags/", "/search/?q=update", "/search/?q=tag:uefi")
    before = [client.get(page).content for page in pages]
    rows = export.write(tmp_path / "first.tar")
    assert rows["forum.Thread"] > 5 and rows["content.Document"] > 20
    empty()
    assert restore.read(tmp_path / "first.tar") == rows
    categories.forget()
    assert [client.get(page).content for page in pages] == before
    export.write(tmp_path / "second.tar")
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()
    export.write(tmp_path / "folder")
    assert restored_numbers_go_on()
    empty()
    restore.read(tmp_path / "folder")
    export.write(tmp_path / "third")
    assert contents(tmp_path / "folder") == contents(tmp_path / "third")


@pytest.mark.parametrize("name", ["site.tar", "site"])
def test_uploaded_files_come_back_and_a_damaged_one_does_not(
    tmp_path: Path, ada: Member, settings: Settings, name: str
) -> None:
    settings.FILES = tmp_path / "files"
    picture = attachments.keep(ada, name="rack.png", data=upload_files.drawing())
    log = attachments.keep(ada, name="boot.log", data=b"booted")
    lost = attachments.keep(ada, name="lost.log", data=b"lost")
    Member.objects.filter(pk=ada.pk).update(picture=attachments.place().put(b"face"))
    (tmp_path / "files" / lost.digest[:2] / lost.digest).unlink()
    export.write(tmp_path / name)
    empty()
    settings.FILES = tmp_path / "other"
    restore.read(tmp_path / name)
    assert contents(tmp_path / "other") == contents(tmp_path / "files")
    assert attachments.place().open(log.digest).read() == b"booted"
    assert attachments.place().open(picture.small).read(4) == b"RIFF"
    if name == "site":
        (tmp_path / name / "attachments" / log.digest).write_bytes(b"changed")
        empty()
        with pytest.raises(InputError, match="damaged"):
            restore.read(tmp_path / name)


def restored_numbers_go_on() -> bool:
    """Tell whether what is written next has a number of its own."""
    last = Thread.objects.order_by("-pk").values_list("pk", flat=True)[0]
    author = Member.objects.filter(is_active=True).first()
    assert author is not None
    made = posting.start(Category.objects.filter(staff=False)[0], author=author, title="One more thread", source="So.")
    return made.pk > last


def test_archive_is_readable_by_its_owner_only_and_says_what_it_is(tmp_path: Path, ada: Member) -> None:
    export.write(tmp_path / "site.tar")
    export.write(tmp_path / "site")
    assert (tmp_path / "site.tar").stat().st_mode & 0o777 == 0o600
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "site").rglob("*")} == {0}
    with tarfile.open(tmp_path / "site.tar") as archive:
        names = archive.getnames()
        lines = archive.extractfile("tables/accounts.Member.jsonl").read().splitlines()  # type: ignore[union-attr]
    assert {"README.md", "site.json", "tables/forum.Post.jsonl"} <= set(names)
    assert json.loads(lines[0])["handle"] == "ada"
    assert "jobs.Mail" not in " ".join(names)


def test_nothing_is_written_over_and_only_an_empty_site_takes_an_archive(tmp_path: Path, ada: Member) -> None:
    export.write(tmp_path / "site.tar")
    with pytest.raises(UsageError, match="something already"):
        export.write(tmp_path / "site.tar")
    with pytest.raises(UsageError, match=r"not empty: it has accounts\.Member"):
        restore.read(tmp_path / "site.tar")
    with pytest.raises(UsageError, match="there is no"):
        restore.read(tmp_path / "nothing.tar")


def change(folder: Path, name: str, edit: Callable[[str], str]) -> None:
    path = folder / name
    path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("site.json", lambda text: "{}", "no site.json"),
        ("site.json", lambda text: "[" * 100_000, "no site.json"),
        ("site.json", lambda text: text.replace('"format": 1', '"format": 2'), "has format 2"),
        ("site.json", lambda text: text.replace('"forum.Post"', '"forum.Nothing"'), "not known here: forum.Nothing"),
        ("tables/accounts.Member.jsonl", lambda text: "", "has 0 rows and not 1"),
        ("tables/accounts.Member.jsonl", lambda text: text + text, "contradicts itself"),
        ("tables/accounts.Member.jsonl", lambda text: text[:-5], "line 1 is no JSON"),
        ("tables/accounts.Member.jsonl", lambda text: "[]\n", "line 1 is no object"),
        (
            "tables/accounts.Member.jsonl",
            lambda text: text.replace('"ada"', "7.5e400"),
            "handle does not fit: inf",
        ),
        ("tables/accounts.Member.jsonl", lambda text: text.replace('"ada"', '"' + "x" * 99 + '"'), "longer than 30"),
        ("tables/accounts.Member.jsonl", lambda text: text.replace('"ada"', '"a\\u0000"'), "or no text"),
        ("tables/accounts.Member.jsonl", lambda text: text.replace('"ada"', '{"a": 1}'), "handle does not fit"),
        ("tables/accounts.Member.jsonl", lambda text: text.replace('"handle"', '"hand"'), "does not know: hand"),
        ("tables/accounts.Member.jsonl", lambda text: text.replace('"ada"', "null"), "handle is missing"),
        (
            "tables/accounts.Token.jsonl",
            lambda text: text.replace('"member_id":', '"member_id":9'),
            "contradicts itself",
        ),
    ],
)
def test_damaged_archive_changes_nothing(
    tmp_path: Path, ada: Member, name: str, edit: Callable[[str], str], message: str
) -> None:
    Token.make(ada, name="program", writes=True, expires=None)
    export.write(tmp_path / "site")
    empty()
    change(tmp_path / "site", name, edit)
    with pytest.raises(InputError, match=message):
        restore.read(tmp_path / "site")
    assert not any(model._default_manager.exists() for model in tables.every().values())


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for about, data in members:
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
    return path


def link(name: str, target: str) -> tarfile.TarInfo:
    about = tarfile.TarInfo(name)
    about.type, about.linkname = tarfile.SYMTYPE, target
    return about


@pytest.mark.parametrize(
    "about",
    [
        *(tarfile.TarInfo(name) for name in ("../evil", "/etc/evil", "tables/../../evil", "attachments/short", "evil")),
        *(link("site.json", "/etc/passwd"), link("tables/forum.Post.jsonl", "../../x")),
    ],
)
def test_archive_with_anything_else_in_it_is_refused(tmp_path: Path, about: tarfile.TarInfo) -> None:
    path = tar(tmp_path / "evil.tar", (about, b""))
    with pytest.raises(InputError, match="which no archive of a site has"):
        restore.read(path)


@bounds(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=2_000))
def test_any_bytes_are_an_archive_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.tar"
    path.write_bytes(data)
    with pytest.raises(InputError):
        restore.read(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@bounds(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(sorted(tables.every())), st.data())
def test_any_row_is_read_or_refused(name: str, data: Any) -> None:
    model = tables.every()[name]
    columns = {field.attname: field for field in tables.fields(name, model)}
    value = data.draw(st.dictionaries(st.sampled_from(sorted(columns)), JSON, max_size=4) | JSON)

    def find(digest: str) -> bytes:
        raise InputError(f"no {digest}")

    try:
        row = tables.as_row(model, columns, value, find=find, where="here")
    except InputError:
        return
    assert isinstance(row, model)
