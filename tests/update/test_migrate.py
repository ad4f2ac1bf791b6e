"""Migrations: which are due, in which order, and what becomes of those that fail."""

from pathlib import Path

import pytest

from jeos.update import migrate
from jeos.update.errors import MigrationError


def write(folder: Path, name: str, text: str = "true", *, mode: int = 0o755) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(mode)


def names(hooks: tuple[migrate.Hook, ...]) -> list[str]:
    return [hook.name for hook in hooks]


def test_hooks_come_in_the_order_of_versions(tmp_path: Path) -> None:
    for name in ("1.10-b", "1.9-z", "1.10-a", "2.0~rc1-x", "1.2-3-move-it", "readme", "1.0"):
        write(tmp_path, name)
    write(tmp_path, "1.1-not-executable", mode=0o644)
    found = migrate.hooks(str(tmp_path))
    assert [(hook.version, hook.name) for hook in found] == [
        ("1.2-3", "1.2-3-move-it"),
        ("1.9", "1.9-z"),
        ("1.10", "1.10-a"),
        ("1.10", "1.10-b"),
        ("2.0~rc1", "2.0~rc1-x"),
    ]
    assert migrate.hooks(str(tmp_path / "none")) == ()


def test_due_are_those_after_the_old_version_up_to_the_new_that_have_not_run(tmp_path: Path) -> None:
    for name in ("1.0-a", "1.1-b", "1.2-c", "1.3-d", "1.4-e"):
        write(tmp_path, name)
    known = migrate.hooks(str(tmp_path))
    assert names(migrate.due(known, before="1.0", now="1.3", done=["1.2-c"])) == ["1.1-b", "1.3-d"]
    assert migrate.due(known, before="1.3", now="1.3", done=[]) == ()


def test_run_tells_each_from_where_to_where(tmp_path: Path) -> None:
    for name in ("1.1-one", "1.2-two"):
        write(tmp_path / "hooks", name, f'echo "$0 $JEOS_FROM $JEOS_TO" >> {tmp_path}/ran')
    ran: list[str] = []
    migrate.run(migrate.hooks(str(tmp_path / "hooks")), before="1.0", now="1.2", ran=lambda hook: ran.append(hook.name))
    lines = (tmp_path / "ran").read_text().splitlines()
    assert lines == [f"{tmp_path}/hooks/{name} 1.0 1.2" for name in ("1.1-one", "1.2-two")]
    assert ran == ["1.1-one", "1.2-two"]


def test_run_ends_at_the_first_that_fails_with_its_words(tmp_path: Path) -> None:
    write(tmp_path, "1.1-one")
    write(tmp_path, "1.2-two", "echo no table of users >&2; exit 3")
    write(tmp_path, "1.3-three")
    ran: list[str] = []
    with pytest.raises(MigrationError, match=r"1.2-two ended with status 3; it said: no table of users"):
        migrate.run(migrate.hooks(str(tmp_path)), before="1", now="2", ran=lambda hook: ran.append(hook.name))
    assert ran == ["1.1-one"]


def test_run_ends_one_that_hangs_with_all_that_it_started(tmp_path: Path) -> None:
    write(tmp_path, "1.1-slow", "echo waiting; sleep 1000 & sleep 1000")
    with pytest.raises(MigrationError, match=r"did not end within 0.5 s; it said: waiting"):
        migrate.run(migrate.hooks(str(tmp_path)), before="1", now="2", ran=lambda hook: None, seconds=0.5)


def test_run_names_one_that_cannot_start(tmp_path: Path) -> None:
    (tmp_path / "1.1-odd").write_text("#!/no/such/shell\n")
    (tmp_path / "1.1-odd").chmod(0o755)
    with pytest.raises(MigrationError, match=r"1.1-odd cannot start"):
        migrate.run(migrate.hooks(str(tmp_path)), before="1", now="2", ran=lambda hook: None)
