"""/var in the factory: what moves, what systemd-tmpfiles is told, and that it understands it."""

import subprocess
from pathlib import Path

import pytest

from jeos.build import factory
from jeos.core.errors import InputError
from jeos.model.tree import Entry, Kind, Tree


def entry(path: str, kind: Kind, **rest: object) -> Entry:
    return Entry(path=path, kind=kind, **rest)  # type: ignore[arg-type]


TREE = Tree.of(
    [
        entry("usr", Kind.DIRECTORY),
        entry("usr/keep", Kind.FILE, size=1, digest="k", mode=0o644),
        entry("var", Kind.DIRECTORY),
        entry("var/lib", Kind.DIRECTORY),
        entry("var/lib/app", Kind.DIRECTORY, uid=33, gid=33, mode=0o750),
        entry("var/lib/app/a file", Kind.FILE, size=2, digest="a", mode=0o640, gid=33),
        entry("var/lib/dpkg", Kind.DIRECTORY),
        entry("var/lib/dpkg/status.d", Kind.DIRECTORY),
        entry("var/lib/dpkg/status.d/nginx", Kind.FILE, size=3, digest="n", mode=0o644),
        entry("var/lib/app/byte\udcff%", Kind.FILE, size=2, digest="a", mode=0o600),
        entry("var/log", Kind.DIRECTORY),
        entry("var/run", Kind.SYMLINK, target="/run"),
        entry("var/lib/app/second", Kind.FILE, size=2, digest="a", mode=0o640, gid=33, hardlink="var/lib/app/a file"),
    ]
)


def test_move_var_leaves_var_to_the_data_partition() -> None:
    moved, text = factory.move_var(TREE, known=["/var/log"])
    found = moved.by_path()
    assert sorted(path for path in found if path.startswith("var")) == [
        "var",
        "var/lib",
        "var/lib/dpkg",
        "var/lib/dpkg/status.d",
        "var/lib/dpkg/status.d/nginx",
    ]
    assert found["usr/share/factory/var/lib/app"].uid == 33
    assert found["usr/share/factory/var/lib/app/second"].hardlink == "usr/share/factory/var/lib/app/a file"
    assert found["var/lib/dpkg/status.d/nginx"].hardlink == "usr/share/factory/var/lib/dpkg/status.d/nginx"
    assert found["usr/share/factory"].kind is Kind.DIRECTORY
    assert text.splitlines()[1:] == [
        "d /var/lib 0755 0 0 -",
        "d /var/lib/app 0750 33 33 -",
        'C "/var/lib/app/a file" 0640 0 33 - /usr/share/factory/var/lib/app/a file',
        "C /var/lib/app/byte\udcff%% 0600 0 0 - /usr/share/factory/var/lib/app/byte\udcff%%",
        "C /var/lib/app/second 0640 0 33 - /usr/share/factory/var/lib/app/second",
        "L /var/lib/dpkg - - - - /usr/share/factory/var/lib/dpkg",
        "L /var/run - - - - /run",
    ]


def test_name_that_would_be_two_lines_is_refused() -> None:
    hostile = entry("var/x\nd /etc/y 0777", Kind.FILE)
    with pytest.raises(InputError):
        factory.move_var(Tree.of([*TREE, hostile]))


def test_mount_points_are_there_and_empty() -> None:
    tree = Tree.of([entry("run", Kind.DIRECTORY), entry("run/lock", Kind.DIRECTORY), entry("tmp/x", Kind.FILE)])
    found = factory.add_mount_points(tree, time=5).by_path()
    assert sorted(found) == ["", "dev", "efi", "proc", "run", "sys", "tmp", "var"]
    assert (found["tmp"].mode, found["proc"].mode) == (0o1777, 0o555)


def test_listed_paths_reads_tmpfiles_lists() -> None:
    assert factory.listed_paths(["# d /no\nd /var/log 0755 - - -\nL+ /etc/x - - - - y\nd /run/%U 0\n\n"]) == {
        "/var/log",
        "/etc/x",
    }


@pytest.mark.root
def test_systemd_tmpfiles_makes_what_the_list_says(tmp_path: Path) -> None:
    _, text = factory.move_var(TREE)
    source = tmp_path / "usr/share/factory/var/lib/app"
    source.mkdir(parents=True)
    for name in ("a file", "second", "byte\udcff%"):
        (source / name).write_text("hi")
    (tmp_path / "usr/lib/tmpfiles.d").mkdir(parents=True)
    (tmp_path / factory.TMPFILES).write_bytes(text.encode(errors="surrogateescape"))
    subprocess.run(["systemd-tmpfiles", "--create", f"--root={tmp_path}"], check=True)
    made = tmp_path / "var/lib/app"
    assert (made.stat().st_uid, made.stat().st_mode & 0o777) == (33, 0o750)
    assert sorted(path.name for path in made.iterdir()) == ["a file", "byte\udcff%", "second"]
    assert (made / "a file").read_text() == "hi"
    assert ((made / "a file").stat().st_gid, (made / "a file").stat().st_mode & 0o777) == (33, 0o640)
    assert (tmp_path / "var/run").readlink() == Path("/run")
