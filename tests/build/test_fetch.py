"""Fetching from a server that lies, breaks off and moves: nothing wrong is kept, nothing good is thrown away."""

import hashlib
import random
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apt_repository import Handler, Server, serving
from jeos.build.credentials import Credentials
from jeos.build.fetch import fetch, missing
from jeos.build.sources import Source
from jeos.build.transfers import Patience
from jeos.core.errors import InputError, NetworkError, TrustError
from jeos.model.lock import Lock, LockedPackage, Role
from jeos.store.local import LocalStore

QUICK = Patience(tries=3, pause=0.001)
BIG = random.Random(1).randbytes(1_500_000)  # several pieces long, so that it can break off in the middle


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "mirror/pool").mkdir(parents=True)
    with serving(tmp_path / "mirror") as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "cache" / "store", durable=False)


def locked(
    server: Server, name: str, data: bytes, *, promised: bytes | None = None, write: bool = True
) -> LockedPackage:
    """Put a file on the mirror, and return the package that a lock promises (other bytes, if `promised`)."""
    path = f"pool/{name}_1.0~1+b1_amd64.deb"
    if write:
        (server.folder / path).write_bytes(data)
    real = data if promised is None else promised
    return LockedPackage(
        name=name,
        version="1.0~1+b1",
        architecture="amd64",
        role=Role.APP,
        repository="debian",
        path=path,
        size=len(real),
        sha256=hashlib.sha256(real).hexdigest(),
    )


def get(server: Server, store: LocalStore, *packages: LockedPackage, url: str = "", timeout: float = 10.0) -> list[int]:
    """Fetch packages and return the numbers of bytes that were told."""
    lock = Lock(suite="trixie", architecture="amd64", inputs="0" * 64, date=0, packages=packages)
    source = Source(name="debian", url=url or server.url, suites=("trixie",), components=("main",), keys=())
    told: list[int] = []

    def progress(done: int, total: int) -> None:
        assert total == sum({package.sha256: package.size for package in packages}.values())
        told.append(done)

    fetch(lock, [source], store, progress=progress, patience=QUICK, timeout=timeout)
    return told


def left_over(store: LocalStore) -> list[str]:
    return sorted(path.name for path in store.folder.with_name("downloads").iterdir())


def breaks_off(after: int, *, times: int = 1) -> Callable[[Handler, bytes], None]:
    """Return a behaviour that closes the connection after some bytes, a number of times, and is honest then."""
    count = iter(range(times))

    def act(handler: Handler, data: bytes) -> None:
        if next(count, None) is None:
            handler.send_range(data)
            return
        tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        range_ = handler.headers.get("Range", "")
        start = int(range_.removeprefix("bytes=").rstrip("-")) if range_ else 0
        part = data[start : start + after]
        extra = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        handler.answer(206 if start else 200, part, {"ETag": tag, **extra}, length=len(data) - start)
        handler.wfile.flush()
        handler.close_connection = True

    return act


def test_fetch_brings_every_package_once(server: Server, store: LocalStore) -> None:
    packages = [locked(server, f"p{number}", b"%d" % number * 1000) for number in range(20)]
    told = get(server, store, *packages, *packages)
    assert all(store.has(package.sha256) for package in packages)
    assert told[-1] == sum(package.size for package in packages)
    assert len(server.requests) == 20
    assert left_over(store) == []
    assert missing(Lock("trixie", "amd64", "", 0, tuple(packages)), store) == []


def test_percent_sign_in_a_path_stays_one(server: Server, store: LocalStore) -> None:
    package = locked(server, "web_1%3a2", b"epoch")
    get(server, store, package)
    assert store.has(package.sha256)


def test_fetch_asks_for_nothing_that_the_store_has(server: Server, store: LocalStore) -> None:
    package = locked(server, "dbus", b"dbus" * 100)
    store.write(b"dbus" * 100)
    get(server, store, package)
    assert server.requests == []


def test_fetch_reads_a_mirror_in_a_folder(server: Server, store: LocalStore) -> None:
    package = locked(server, "dbus", BIG)
    get(server, store, package, url=f"file://{server.folder}")
    assert store.path(package.sha256).read_bytes() == BIG
    assert server.requests == []


def test_wrong_bytes_are_refused_and_not_kept(server: Server, store: LocalStore) -> None:
    package = locked(server, "dbus", b"evil!", promised=b"good!")
    with pytest.raises(TrustError) as caught:
        get(server, store, package)
    assert caught.value.message == (
        f"dbus 1.0~1+b1 is not the file that is locked: {server.url}/{package.path} has the SHA-256 "
        f"{hashlib.sha256(b'evil!').hexdigest()}, expected {package.sha256}"
    )
    assert not store.has(package.sha256)
    assert left_over(store) == []


@pytest.mark.parametrize("sent", [b"goo", b"good!!", b""])
def test_wrong_length_is_refused_before_it_is_read(server: Server, store: LocalStore, sent: bytes) -> None:
    package = locked(server, "dbus", sent, promised=b"good!")
    with pytest.raises(TrustError, match=f"has {len(sent)} bytes, expected 5"):
        get(server, store, package)
    assert left_over(store) == []


def test_endless_answer_is_stopped(server: Server, store: LocalStore) -> None:
    def endless(handler: Handler, data: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        while True:
            try:
                handler.wfile.write(b"x" * 65536)
            except OSError:
                return

    package = locked(server, "dbus", b"good!" * 1000)
    server.behaviours["dbus"] = endless
    with pytest.raises(TrustError, match="has more than 5000 bytes, expected 5000"):
        get(server, store, package)
    assert left_over(store) == []


def test_download_that_breaks_off_goes_on_where_it_stopped(server: Server, store: LocalStore) -> None:
    package = locked(server, "linux", BIG)
    server.behaviours["linux"] = breaks_off(400_000, times=3)
    get(server, store, package)
    assert store.path(package.sha256).read_bytes() == BIG
    assert [wanted for _, wanted in server.requests] == ["", "bytes=400000-", "bytes=800000-", "bytes=1200000-"]


def test_next_run_goes_on_where_the_last_one_failed(server: Server, store: LocalStore) -> None:
    package = locked(server, "linux", BIG)
    server.behaviours["linux"] = lambda handler, data: (
        breaks_off(400_000)(handler, data) if len(server.requests) == 1 else handler.answer(503, b"")
    )
    with pytest.raises(NetworkError, match="answers 503"):
        get(server, store, package)
    assert left_over(store) == [f"{package.sha256}.partial", f"{package.sha256}.partial.validator"]
    server.behaviours.clear()
    server.requests.clear()
    told = get(server, store, package)
    assert [wanted for _, wanted in server.requests] == ["bytes=400000-"]
    assert (told[0], told[-1]) == (400_000, len(BIG))
    assert left_over(store) == []


def test_file_that_changed_in_between_is_sent_anew(server: Server, store: LocalStore) -> None:
    package = locked(server, "linux", BIG)
    old = BIG[::-1]

    def changes(handler: Handler, data: bytes) -> None:
        (breaks_off(400_000) if len(server.requests) == 1 else Handler.send_range)(
            handler, old if len(server.requests) == 1 else data
        )

    server.behaviours["linux"] = changes
    get(server, store, package)
    assert store.path(package.sha256).read_bytes() == BIG


def test_parts_that_do_not_fit_are_thrown_away(server: Server, store: LocalStore) -> None:
    package = locked(server, "linux", BIG)
    wrong = b"x" * 1000 + BIG[1000:]  # the same tag would be a lie
    tag = f'"{hashlib.sha256(BIG).hexdigest()[:16]}"'

    def lies_first(handler: Handler, data: bytes) -> None:
        if len(server.requests) > 1:
            handler.send_range(data)
            return
        handler.answer(200, wrong[:400_000], {"ETag": tag}, length=len(wrong))
        handler.close_connection = True

    server.behaviours["linux"] = lies_first
    get(server, store, package)
    assert [wanted for _, wanted in server.requests] == ["", "bytes=400000-", ""]
    assert store.path(package.sha256).read_bytes() == BIG


def test_busy_server_is_asked_again(server: Server, store: LocalStore) -> None:
    package = locked(server, "dbus", b"good!")
    server.behaviours["dbus"] = lambda handler, data: handler.answer(
        *((503, b"busy") if len(server.requests) < 3 else (200, data))
    )
    get(server, store, package)
    assert len(server.requests) == 3


def test_silent_server_is_given_up(server: Server, store: LocalStore) -> None:
    released = threading.Event()
    package = locked(server, "dbus", b"good!")

    def silent(handler: Handler, data: bytes) -> None:
        released.wait(30)

    server.behaviours["dbus"] = silent
    with pytest.raises(NetworkError, match="cannot be reached: timed out"):
        get(server, store, package, timeout=0.05)
    released.set()


def test_redirects_are_followed(server: Server, store: LocalStore) -> None:
    package = locked(server, "dbus", BIG)
    server.behaviours["/first/"] = lambda handler, data: handler.answer(
        302, b"moved", {"Location": handler.path.replace("/first/", "/")}
    )
    get(server, store, package, url=f"{server.url}/first")
    assert store.path(package.sha256).read_bytes() == BIG


@pytest.mark.parametrize(
    ("target", "said"), [("/again", "from redirect to redirect"), ("file:///etc/passwd", "which is not followed")]
)
def test_bad_redirects_are_not_followed(server: Server, store: LocalStore, target: str, said: str) -> None:
    package = locked(server, "dbus", b"good!")
    server.behaviours["/"] = lambda handler, data: handler.answer(301, b"", {"Location": target})
    with pytest.raises(NetworkError, match=said):
        get(server, store, package)


def test_packages_that_left_the_mirror_are_all_named(server: Server, store: LocalStore) -> None:
    there = locked(server, "dbus", b"good!")
    gone = [locked(server, name, b"%s" % name.encode(), write=False) for name in ("udev", "kmod")]
    with pytest.raises(NetworkError) as caught:
        get(server, store, there, *gone)
    assert caught.value.message == "the mirror does not have kmod 1.0~1+b1, udev 1.0~1+b1"
    assert "jeos lock --upgrade" in caught.value.hint
    assert store.has(there.sha256)
    assert left_over(store) == []


def test_mirror_that_cannot_be_reached_is_named(server: Server, store: LocalStore) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"http://user:secret@127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(NetworkError, match="cannot be reached") as caught:
            get(server, store, locked(server, "dbus", b"good!"), url=url)
    assert "secret" not in str(caught.value)


def test_password_in_an_address_is_sent_as_a_header(server: Server, store: LocalStore) -> None:
    seen: list[str] = []

    def guarded(handler: Handler, data: bytes) -> None:
        seen.append(handler.headers.get("Authorization", ""))
        handler.send_range(data)

    server.behaviours["dbus"] = guarded
    get(server, store, locked(server, "dbus", b"good!"), url=server.url.replace("//", "//user:p%40ss@"))
    assert seen == ["Basic dXNlcjpwQHNz"]


def test_password_in_the_file_of_credentials_is_sent(
    server: Server, store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def guarded(handler: Handler, data: bytes) -> None:
        allowed = handler.headers.get("Authorization") == "Basic dXNlcjpwQHNz"
        handler.answer(*((200, data) if allowed else (401, b"")))

    server.behaviours["dbus"] = guarded
    package = locked(server, "dbus", b"good!")
    with pytest.raises(NetworkError, match="answers 401"):
        get(server, store, package)
    (tmp_path / "credentials").write_text(f"machine {server.url} login user password p@ss\n")
    monkeypatch.setenv("JEOS_CREDENTIALS", str(tmp_path / "credentials"))
    get(server, store, package)
    assert store.has(package.sha256)


def test_password_without_a_scheme_is_kept_for_https(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_text("machine apt.example login user password p\n")
    known = Credentials(path)
    asked = ["https://apt.example/debian", "http://apt.example/debian", "https://other.example/"]
    assert [known.of(url) for url in asked] == ["user:p", "", ""]


def test_broken_file_of_credentials_is_named(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_text("host apt.example user p\n")
    with pytest.raises(InputError, match="cannot be read"):
        Credentials(path)


def test_proxy_of_the_environment_is_used(server: Server, store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    package = locked(server, "dbus", b"good!")
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    server.behaviours["http://mirror.example/debian/"] = lambda handler, data: handler.answer(200, b"good!")
    get(server, store, package, url="http://mirror.example/debian")
    assert [path for path, _ in server.requests] == [f"http://mirror.example/debian/{package.path}"]


def test_unknown_repository_is_refused(server: Server, store: LocalStore) -> None:
    lock = Lock("trixie", "amd64", "0" * 64, 0, (locked(server, "dbus", b"good!"),))
    with pytest.raises(InputError, match="from the repository 'debian', which the recipe does not have"):
        fetch(lock, [], store)


def test_two_runs_at_once_fetch_each_package_once(server: Server, store: LocalStore) -> None:
    packages = [locked(server, f"p{number}", random.Random(number).randbytes(50_000)) for number in range(30)]
    errors: list[BaseException] = []

    def one() -> None:
        try:
            get(server, store, *packages)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(server.requests) == 30
    assert left_over(store) == []
