"""One suite over every backend of a channel, and what is special to each."""

import json
import multiprocessing
import threading
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

import s3_server
from jeos.channel import lease
from jeos.channel.backend import Backend, BusyChannelError, open_backend
from jeos.channel.folder import FolderBackend
from jeos.channel.objects import ObjectBackend
from jeos.core.errors import InputError, NetworkError, UsageError
from jeos.store.places.place import ChangedFileError, MissingFileError

ODD = "hello_1.0~rc1+a^b.root.xz"  # all that versions may have


@pytest.fixture(scope="module")
def settings() -> Iterator[dict[str, str]]:
    with s3_server.bucket() as found:
        yield found


@pytest.fixture(params=["folder", "objects"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    if request.param == "folder":
        return FolderBackend(tmp_path / "channel")
    settings: dict[str, str] = request.getfixturevalue("settings")
    return ObjectBackend(f"s3://{s3_server.NAME}/{tmp_path.name}", **settings)


def names(backend: Backend, prefix: str = "") -> list[str]:
    return sorted(found.name for found in backend.list(prefix))


def test_backend_gives_back_what_was_put(backend: Backend, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"of a file")
    assert backend.put_new("data/ab/abcd", tmp_path / "file")
    assert backend.put_new(ODD, b"odd")
    backend.put("metadata/timestamp.json", b"first")
    backend.put("metadata/timestamp.json", b"second")
    assert backend.get("data/ab/abcd") == b"of a file"
    assert backend.get("data/ab/abcd", offset=3) == b"a file"
    assert backend.get("data/ab/abcd", offset=3, limit=1) == b"a"
    assert backend.get("data/ab/abcd", offset=90) == b""
    assert backend.get("metadata/timestamp.json") == b"second"
    assert backend.get(ODD) == b"odd"
    assert names(backend) == ["data/ab/abcd", ODD, "metadata/timestamp.json"]


def test_backend_never_rewrites_what_is_put_new(backend: Backend) -> None:
    assert backend.put_new("metadata/1.root.json", b"first")
    assert not backend.put_new("metadata/1.root.json", b"second")
    assert backend.get("metadata/1.root.json") == b"first"


def test_backend_lists_by_prefix_across_folders(backend: Backend) -> None:
    for name in ("data/ab/abcd", "data/ac/acde", "metadata/1.root.json", "SHA256SUMS"):
        backend.put_new(name, b"12")
    assert names(backend, "data/") == ["data/ab/abcd", "data/ac/acde"]
    assert names(backend, "data/ab/ab") == ["data/ab/abcd"]
    assert names(backend, "meta") == ["metadata/1.root.json"]
    assert names(backend, "none/") == []
    assert [found.size for found in backend.list("data/ac")] == [2]


def test_backend_deletes_what_is_there_and_minds_not_what_is_gone(backend: Backend) -> None:
    backend.put_new("data/ab/abcd", b"1")
    backend.delete("data/ab/abcd")
    backend.delete("data/ab/abcd")
    assert names(backend) == []
    assert backend.stat("data/ab/abcd") is None
    with pytest.raises(MissingFileError, match="data/ab/abcd is not in the channel"):
        backend.get("data/ab/abcd")


def test_backend_says_that_a_folder_is_no_file(backend: Backend) -> None:
    backend.put_new("data/ab/abcd", b"1")
    assert backend.stat("data/ab") is None
    with pytest.raises(MissingFileError):
        backend.get("data/ab")


def test_backend_replaces_only_what_was_seen(backend: Backend) -> None:
    name = "metadata/timestamp.json"
    with pytest.raises(ChangedFileError):
        backend.put(name, b"x", replaces="a-tag-of-what-is-not-there")
    backend.put(name, b"first", replaces="")
    seen = backend.stat(name)
    assert seen is not None
    with pytest.raises(ChangedFileError):
        backend.put(name, b"second", replaces="")
    backend.put(name, b"second", replaces=seen.tag)
    with pytest.raises(ChangedFileError, match=r"somebody else changed metadata/timestamp\.json"):
        backend.put(name, b"third", replaces=seen.tag)
    assert backend.get(name) == b"second"


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../b", "", "a//b", ".lock", "a/.b", "a b", "a\n", "a/"])
def test_backend_refuses_names_that_lead_elsewhere(backend: Backend, name: str) -> None:
    for act in (backend.get, backend.stat, backend.delete, lambda one: backend.put(one, b"")):
        with pytest.raises(InputError, match="is no name of a file"):
            act(name)


def test_backend_lets_one_change_it_at_a_time(backend: Backend) -> None:
    with backend.lock():
        with pytest.raises(BusyChannelError, match="is being changed by"), backend.lock():
            pass
        backend.put_new("data/ab/abcd", b"1")
    with backend.lock():
        pass
    assert names(backend) == ["data/ab/abcd"]


def test_backend_lets_go_of_the_lock_after_an_error(backend: Backend) -> None:
    with pytest.raises(ZeroDivisionError), backend.lock():
        raise ZeroDivisionError
    with backend.lock():
        pass


def test_backend_lets_only_one_of_many_put_a_name(backend: Backend) -> None:
    start = threading.Barrier(8)
    won: list[int] = []

    def put(number: int) -> None:
        start.wait()
        if backend.put_new("metadata/7.snapshot.json", b"%d" % number):
            won.append(number)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [b"%d" % number for number in won] == [backend.get("metadata/7.snapshot.json")]


def _hold(folder: Path, held: Event) -> None:
    with FolderBackend(folder).lock():
        (folder / ".timestamp.json.0123.partial").write_bytes(b"half")
        held.set()
        threading.Event().wait()


def test_folder_is_free_again_after_its_holder_was_killed(tmp_path: Path) -> None:
    held = multiprocessing.get_context("fork").Event()
    holder = multiprocessing.get_context("fork").Process(target=_hold, args=(tmp_path, held))
    holder.start()
    assert held.wait(60)
    backend = FolderBackend(tmp_path)
    with pytest.raises(BusyChannelError), backend.lock():
        pass
    holder.kill()
    holder.join()
    with backend.lock():
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_lease_left_behind_is_taken_over_when_its_time_is_over(settings: dict[str, str], tmp_path: Path) -> None:
    backend = ObjectBackend(f"s3://{s3_server.NAME}/{tmp_path.name}", **settings)
    backend.put(lease.NAME, json.dumps({"holder": "ci@builder", "id": "1", "until": 1000}).encode())
    with (
        pytest.raises(BusyChannelError, match="ci@builder, at the latest for another 100 s"),
        lease.lease(backend, now=lambda: 900.0),
    ):
        pass
    with lease.lease(backend, now=lambda: 1001.0):
        assert json.loads(backend.get(lease.NAME))["until"] == int(1001 + lease.SECONDS)
    assert backend.stat(lease.NAME) is None


def test_lease_of_another_is_not_deleted_at_the_end(settings: dict[str, str], tmp_path: Path) -> None:
    backend = ObjectBackend(f"s3://{s3_server.NAME}/{tmp_path.name}", **settings)
    with lease.lease(backend):
        backend.put(lease.NAME, json.dumps({"holder": "other", "id": "2", "until": 1}).encode())
    assert json.loads(backend.get(lease.NAME))["holder"] == "other"


def test_objects_say_how_long_caches_may_keep_them(settings: dict[str, str], tmp_path: Path) -> None:
    backend = ObjectBackend(f"s3://{s3_server.NAME}/{tmp_path.name}", **settings)
    digest = "ab" * 32
    backend.put_new(f"data/ab/{digest}", b"1")
    backend.put("metadata/timestamp.json", b"{}")
    backend.put_new(ODD, b"1")
    seen = {
        name.removeprefix(f"{tmp_path.name}/"): (headers["Cache-Control"], headers["Content-Type"])
        for name, headers in s3_server.headers().items()
        if name.startswith(f"{tmp_path.name}/")
    }
    for_ever = "public, max-age=31536000, immutable"
    assert seen == {
        f"data/ab/{digest}": (for_ever, "application/octet-stream"),
        "metadata/timestamp.json": ("public, max-age=60", "application/json"),
        ODD: (for_ever, "application/octet-stream"),
    }


def test_objects_name_the_bucket_that_cannot_be_reached() -> None:
    backend = ObjectBackend(
        "s3://channel/hello",
        endpoint="http://127.0.0.1:1",
        access_key_id="x",
        secret_access_key="y",
        region="us-east-1",
        retry_config={"max_retries": 0},
    )
    with pytest.raises(NetworkError, match="s3://channel/hello could not be used"):
        backend.stat("SHA256SUMS")


def test_objects_find_their_server_in_the_environment(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", settings["endpoint"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    backend = open_backend(f"s3://{s3_server.NAME}/environment/")
    assert backend.put_new("SHA256SUMS", b"1")
    assert backend.get("SHA256SUMS") == b"1"


def test_address_of_no_channel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no channel at"):
        open_backend(str(tmp_path / "none"))
    with pytest.raises(UsageError, match="cannot be changed at"):
        open_backend("https://updates.example/hello")
    with pytest.raises(UsageError, match="is no bucket"):
        open_backend("s3://")
