"""One suite over every place, and a web server in front of a folder."""

import threading
from pathlib import Path

import pytest

from jeos.channel import serve
from jeos.core.errors import InputError
from jeos.store.places.address import open_place
from jeos.store.places.folder import FolderPlace
from jeos.store.places.place import ChangedFileError, MissingFileError, Place
from jeos.store.places.web import WebPlace


def test_place_gives_back_what_was_put(place: Place) -> None:
    assert place.put_new("packs/9c/9c1f", bytearray(b"0123456789"))
    assert place.get("packs/9c/9c1f") == b"0123456789"
    assert place.get("packs/9c/9c1f", offset=4, limit=3) == b"456"
    assert place.get("packs/9c/9c1f", offset=8, limit=30) == b"89"
    assert place.get("packs/9c/9c1f", offset=30, limit=3) == b""
    found = place.stat("packs/9c/9c1f")
    assert found is not None
    assert (found.name, found.size) == ("packs/9c/9c1f", 10)


def test_place_never_rewrites_what_is_put_new(place: Place) -> None:
    assert [place.put_new("a/b", data) for data in (b"first", b"second")] == [True, False]
    assert place.get("a/b") == b"first"


def test_place_lets_only_one_of_many_put_a_name(place: Place) -> None:
    won = []

    def put(number: int) -> None:
        if place.put_new("a/b", str(number).encode()):
            won.append(number)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [place.get("a/b")] == [str(number).encode() for number in won]


def test_place_lists_by_prefix_and_forgets_what_is_deleted(place: Place) -> None:
    for name in ("index/a", "index/b", "points/web/1", "points/web01/2", "vault.json"):
        place.put(name, name.encode())
    listed = {prefix: sorted(found.name for found in place.list(prefix)) for prefix in ("index/", "points/web", "no/")}
    assert listed == {"index/": ["index/a", "index/b"], "points/web": ["points/web/1", "points/web01/2"], "no/": []}
    for name in ("index/a", "index/a"):
        place.delete(name)
    assert sorted((found.name, found.size) for found in place.list()) == [
        ("index/b", 7),
        ("points/web/1", 12),
        ("points/web01/2", 14),
        ("vault.json", 10),
    ]
    assert place.stat("index/a") is None
    with pytest.raises(MissingFileError, match="index/a is not in"):
        place.get("index/a")


def test_place_replaces_only_what_was_seen(place: Place) -> None:
    place.put("a", b"1", replaces="")
    seen = place.stat("a")
    assert seen is not None
    place.put("a", b"2", replaces=seen.tag)
    with pytest.raises(ChangedFileError, match="somebody else changed a in"):
        place.put("a", b"3", replaces=seen.tag)
    assert place.get("a") == b"2"


@pytest.mark.parametrize("name", ["../a", "/a", "a/../b", ".a", "", "a//b", "a/.b", "a\n"])
def test_place_refuses_names_that_lead_elsewhere(place: Place, name: str) -> None:
    with pytest.raises(InputError, match="is no name of a file"):
        place.get(name)
    with pytest.raises(InputError, match="is no name of a file"):
        place.put_new(name, b"")


def test_folder_behind_a_web_server_can_be_read(tmp_path: Path) -> None:
    FolderPlace(tmp_path).put_new("packs/9c/9c1f", b"0123456789")
    server = serve.make_server(tmp_path, host="127.0.0.1", port=0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        place = open_place(serve.address_of(server))
        assert isinstance(place, WebPlace)
        assert not isinstance(place, Place)
        assert place.get("packs/9c/9c1f", offset=4, limit=3) == b"456"
        assert place.get("packs/9c/9c1f", limit=3) == b"012"
        assert place.stat("packs/none") is None
    finally:
        server.shutdown()
        server.server_close()


def test_address_of_a_folder_is_a_place_for_writing(tmp_path: Path) -> None:
    place = open_place(str(tmp_path / "new"))
    assert isinstance(place, Place)
    assert place.put_new("a", b"1")
    assert (tmp_path / "new/a").read_bytes() == b"1"
