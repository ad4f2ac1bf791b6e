import os
import threading
from pathlib import Path

import pytest

from jeos.build import namespace
from jeos.core.errors import HostError
from namespaces import call, ordinary_user

TABLE = "# comment\nother:100000:65536\nme:200000:1000\nme:300000:65536\n1234:400000:65535\n"


def test_subordinate_range_of_a_user(tmp_path: Path) -> None:
    (tmp_path / "subuid").write_text(TABLE)
    assert namespace.subordinate(tmp_path / "subuid", user="me", number=1) == 300000
    assert namespace.subordinate(tmp_path / "subuid", user="nobody", number=1234) == 400000


@pytest.mark.parametrize("text", ["", "me:200000:1000\n", "other:1:65536\n", "me:x:y\n", "me\n", None])
def test_user_without_a_range(tmp_path: Path, text: str | None) -> None:
    table = tmp_path / "subgid"
    if text is not None:
        table.write_text(text)
    with pytest.raises(HostError) as caught:
        namespace.subordinate(table, user="me", number=1)
    assert (
        caught.value.message
        == f"{table} gives me no range of 65535 subordinate gids, and a Debian system needs that many"
    )
    assert caught.value.hint == "sudo usermod --add-subgids 100000-165535 me (or another range that nobody has)"


def test_process_with_threads_cannot_enter() -> None:
    def work() -> None:
        stop = threading.Event()
        threading.Thread(target=stop.wait, daemon=True).start()
        namespace.enter()

    with pytest.raises(HostError) as caught:
        call(work, enter=False)
    assert caught.value.message == "the build's namespace can be entered only while the process has a single thread"


def mount_somewhere(place: Path) -> tuple[bool, bool]:
    """Mount a tmpfs in the namespace; tell whether it is there, and whether `inside` says so."""
    place.mkdir()
    assert namespace._libc.mount(b"none", os.fsencode(place), b"tmpfs", 0, None) == 0
    return place.is_mount(), namespace.inside()


@pytest.mark.root
def test_mounts_of_root_stay_inside(tmp_path: Path) -> None:
    assert call(lambda: mount_somewhere(tmp_path / "place")) == (True, True)
    assert not (tmp_path / "place").is_mount()
    assert not namespace.inside()
    assert call(namespace.mapping) == "root"


@pytest.mark.root
def test_ordinary_user_becomes_root_with_many_ids() -> None:
    with ordinary_user() as user:
        home = Path(f"/home/{user}")

        def work() -> tuple[object, ...]:
            for number in (0, 1, 65534):
                (home / f"file{number}").touch()
                os.chown(home / f"file{number}", number, number)
            mounted = mount_somewhere(home / "place")
            namespace.enter()  # the second time does nothing
            return os.getuid(), os.getgid(), os.getgroups(), mounted, namespace.mapping(), os.environ["HOME"]

        uid, gid, groups, mounted, mapping, kept = call(work, user=user)
        first = {table: _first(table, user) for table in ("subuid", "subgid")}
        own = home.stat().st_uid
        assert (uid, gid, groups, mounted, kept) == (0, 0, [], (True, True), str(home))
        assert mapping == f"{own}-{first['subuid']}-{first['subgid']}"
        assert [(home / f"file{number}").stat().st_uid for number in (0, 1, 65534)] == [
            own,
            first["subuid"],
            first["subuid"] + 65533,
        ]
        assert not (home / "place").is_mount()


@pytest.mark.root
def test_folder_of_subordinate_ids_can_be_removed_from_outside() -> None:
    with ordinary_user() as user:
        folder = Path(f"/home/{user}/cache")

        def fill() -> None:
            (folder / "inner").mkdir(parents=True)
            (folder / "inner/file").touch()
            for path in (folder / "inner/file", folder / "inner", folder):
                os.chown(path, 33, 33)
            (folder / "inner").chmod(0o500)

        call(fill, user=user)
        call(lambda: namespace.remove_tree(folder), user=user, enter=False)
        assert not folder.exists()


def _first(table: str, user: str) -> int:
    lines = Path("/etc", table).read_text().splitlines()
    return next(int(line.split(":")[1]) for line in lines if line.startswith(f"{user}:"))
