import io
import os
import tarfile
from pathlib import Path

import pytest

from jeos.build.items import Accounts, Item, last_of_each, link, text, write_tar
from jeos.build.plan_files import explicit_directories, plan
from jeos.core.errors import InputError
from jeos.model.recipe import FileRule, Recipe
from jeos.model.tree import Kind

ACCOUNTS = Accounts.parse(passwd="root:x:0:0::/:/bin/sh\nada:x:1000:1000::/:\n", group="root:x:0:\nada:x:1000:\n")


def recipe_with(*files: FileRule) -> Recipe:
    return Recipe(name="a", version="1", files=files)


def test_plan_copies_folders_with_links_and_executable_bits(tmp_path: Path) -> None:
    (tmp_path / "site/inner").mkdir(parents=True)
    (tmp_path / "site/b").write_text("b")
    (tmp_path / "site/run").write_text("#!/bin/sh\n")
    (tmp_path / "site/run").chmod(0o700)
    (tmp_path / "site/inner/link").symlink_to("/etc/passwd")
    rule = FileRule(target="/srv/www", source="site", owner="ada", group="ada", directory_mode=0o750)
    assert plan(recipe_with(rule), folder=tmp_path) == [
        Item("srv/www", kind=Kind.DIRECTORY, mode=0o750, owner="ada", group="ada"),
        Item("srv/www/b", mode=0o644, source=tmp_path / "site/b", owner="ada", group="ada"),
        Item("srv/www/inner", kind=Kind.DIRECTORY, mode=0o750, owner="ada", group="ada"),
        Item("srv/www/inner/link", kind=Kind.SYMLINK, mode=0o777, target="/etc/passwd", owner="ada", group="ada"),
        Item("srv/www/run", mode=0o755, source=tmp_path / "site/run", owner="ada", group="ada"),
    ]


def test_plan_of_a_folder_for_the_root_leaves_the_root_alone(tmp_path: Path) -> None:
    (tmp_path / "over/etc").mkdir(parents=True)
    (tmp_path / "over/etc/a").write_text("")
    assert plan(recipe_with(FileRule(target="/", source="over", mode=0o600)), folder=tmp_path) == [
        Item("etc", kind=Kind.DIRECTORY, mode=0o755),
        Item("etc/a", mode=0o600, source=tmp_path / "over/etc/a"),
    ]


def test_plan_of_text_and_of_a_directory() -> None:
    rules = (
        FileRule(target="/a/b", content="é"),
        FileRule(target="/var/lib/x", directory=True, owner="ada", directory_mode=0o700),
    )
    directory = Item("var/lib/x", kind=Kind.DIRECTORY, mode=0o700, owner="ada")
    assert plan(recipe_with(*rules), folder=Path("/nowhere")) == [Item("a/b", content=b"\xc3\xa9"), directory]
    assert explicit_directories(recipe_with(*rules)) == [directory]


def test_plan_refuses_pipes_and_missing_sources(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="neither a file, a folder nor a symbolic link"):
        plan(recipe_with(FileRule(target="/a", source="pipe")), folder=tmp_path)
    with pytest.raises(InputError, match=r"there is no .*gone, which /a is to be made from"):
        plan(recipe_with(FileRule(target="/a", source="gone")), folder=tmp_path)


def test_tar_has_numeric_owners_and_one_time(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(100_000))
    items = [
        Item("z", source=tmp_path / "big", owner="ada", group="ada", mode=0o4755),
        link("b", "/dev/null"),
        text("a", "old"),
        text("a", "new"),
        Item("n" * 120, kind=Kind.DIRECTORY),
    ]
    file = io.BytesIO()
    write_tar(last_of_each(items), file, accounts=ACCOUNTS, time=1234)
    file.seek(0)
    with tarfile.open(fileobj=file) as archive:
        members = archive.getmembers()
        found = [(m.name, m.type, m.mode, m.uid, m.gid, m.uname, m.mtime, m.size, m.linkname) for m in members]
        content = archive.extractfile("a")
        assert content is not None and content.read() == b"new"
    assert found == [
        ("a", tarfile.REGTYPE, 0o644, 0, 0, "", 1234, 3, ""),
        ("b", tarfile.SYMTYPE, 0o777, 0, 0, "", 1234, 0, "/dev/null"),
        ("n" * 120, tarfile.DIRTYPE, 0o644, 0, 0, "", 1234, 0, ""),
        ("z", tarfile.REGTYPE, 0o4755, 1000, 1000, "", 1234, 100_000, ""),
    ]


def test_tar_for_an_unknown_owner_names_those_there_are() -> None:
    with pytest.raises(InputError) as caught:
        write_tar([Item("a", owner="bob")], io.BytesIO(), accounts=ACCOUNTS, time=0)
    assert str(caught.value) == (
        "/a is to belong to the user bob, and the image has none\n"
        "hint: the image has ada, root; a [[user]] table makes another one"
    )
