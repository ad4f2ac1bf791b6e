"""The static server: ranges, caching, safe paths, connections that stay open."""

import http.client
import os
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.channel import serve
from jeos.channel.web import WebReader
from jeos.core.errors import HostError, NetworkError
from jeos.store.places.place import MissingFileError

DIGEST = "ab" * 32
BLOB = f"data/ab/{DIGEST}"
CONTENT = bytes(range(256)) * 64


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    top = tmp_path_factory.mktemp("served")
    folder = top / "channel"
    (folder / "data/ab").mkdir(parents=True)
    (folder / "metadata").mkdir()
    (folder / BLOB).write_bytes(CONTENT)
    (folder / "metadata/timestamp.json").write_text("{}")
    (folder / ".lock").write_text("secret")
    (folder / "hello_1.0~rc1+a^b.root.xz").write_bytes(b"odd")
    (folder / "empty").write_bytes(b"")
    (top / "secret").write_text("secret")
    (folder / "link").symlink_to(top / "secret")
    os.mkfifo(folder / "pipe")
    with serve.serving(folder) as found:
        yield found


@pytest.fixture
def line(address: str) -> Iterator[http.client.HTTPConnection]:
    place = urllib.parse.urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    yield connection
    connection.close()


def ask(
    line: http.client.HTTPConnection, path: str, *, method: str = "GET", **headers: str
) -> tuple[int, bytes, http.client.HTTPMessage]:
    line.request(method, path, headers={key.replace("_", "-"): value for key, value in headers.items()})
    answer = line.getresponse()
    return answer.status, answer.read(), answer.headers


def test_serve_gives_files_with_headers_for_caches(line: http.client.HTTPConnection) -> None:
    status, body, headers = ask(line, f"/{BLOB}")
    assert (status, body) == (200, CONTENT)
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["Content-Length"] == str(len(CONTENT))
    assert headers["Accept-Ranges"] == "bytes"
    status, body, headers = ask(line, "/metadata/timestamp.json")
    assert (status, body) == (200, b"{}")
    assert headers["Cache-Control"] == "public, max-age=60"
    assert headers["Content-Type"] == "application/json"


def test_serve_answers_many_requests_on_one_connection(line: http.client.HTTPConnection) -> None:
    ask(line, f"/{BLOB}")
    port = line.sock.getsockname()[1]
    for path in ("/none", f"/{BLOB}", "/empty", "/metadata/timestamp.json"):
        ask(line, path)
    assert line.sock.getsockname()[1] == port


def test_serve_sends_head_without_a_body(line: http.client.HTTPConnection) -> None:
    status, body, headers = ask(line, f"/{BLOB}", method="HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", str(len(CONTENT)))
    assert ask(line, f"/{BLOB}")[1] == CONTENT


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [("0-0", 0, 1), ("5-", 5, 16384), ("10-19", 10, 20), ("-7", 16377, 16384), ("16000-99999", 16000, 16384)],
)
def test_serve_sends_a_range(line: http.client.HTTPConnection, wanted: str, start: int, end: int) -> None:
    status, body, headers = ask(line, f"/{BLOB}", Range=f"bytes={wanted}")
    assert (status, body) == (206, CONTENT[start:end])
    assert headers["Content-Range"] == f"bytes {start}-{end - 1}/16384"
    assert headers["Content-Length"] == str(end - start)


@pytest.mark.parametrize("wanted", ["bytes=16384-", "bytes=99999-100000", "bytes=-0"])
def test_serve_says_that_a_range_is_not_there(line: http.client.HTTPConnection, wanted: str) -> None:
    status, body, headers = ask(line, f"/{BLOB}", Range=wanted)
    assert (status, body, headers["Content-Range"]) == (416, b"", "bytes */16384")


@pytest.mark.parametrize("wanted", ["bytes=9-5", "bytes=0-1,4-5", "lines=1-2", "bytes=", "bytes=x-y", "nonsense"])
def test_serve_sends_all_for_ranges_it_does_not_know(line: http.client.HTTPConnection, wanted: str) -> None:
    status, body, _ = ask(line, f"/{BLOB}", Range=wanted)
    assert (status, body) == (200, CONTENT)


def test_serve_saves_what_the_client_has(line: http.client.HTTPConnection) -> None:
    tag = ask(line, "/metadata/timestamp.json")[2]["ETag"]
    for header in (tag, f'"other", W/{tag}', "*"):
        status, body, headers = ask(line, "/metadata/timestamp.json", If_None_Match=header)
        assert (status, body, headers["ETag"]) == (304, b"", tag)
    assert ask(line, "/metadata/timestamp.json", If_None_Match='"other"')[0] == 200


def test_serve_resumes_only_what_is_still_the_same(line: http.client.HTTPConnection) -> None:
    tag = ask(line, f"/{BLOB}")[2]["ETag"]
    assert ask(line, f"/{BLOB}", Range="bytes=1-2", If_Range=tag)[:2] == (206, CONTENT[1:3])
    assert ask(line, f"/{BLOB}", Range="bytes=1-2", If_Range='"old"')[:2] == (200, CONTENT)


def test_serve_finds_a_new_tag_for_a_new_content(tmp_path: Path) -> None:
    from jeos.channel.folder import FolderBackend

    backend = FolderBackend(tmp_path)
    backend.put("metadata/timestamp.json", b"1")
    with serve.serving(tmp_path) as address:
        reader = WebReader(address)
        first = reader.stat("metadata/timestamp.json")
        backend.put("metadata/timestamp.json", b"2")
        second = reader.stat("metadata/timestamp.json")
    assert first is not None
    assert second is not None
    assert first.tag != second.tag


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/data", "/data/", "/none", "/link", "/pipe", "/.lock", "/%2elock", "/../secret", "/%2e%2e/secret"),
        *(
            "/data/../../secret",
            "/data/..%2f..%2fsecret",
            "//etc/passwd",
            "/%2fetc/passwd",
            "/a%00b",
            "/%ff",
            "/data%5c..",
        ),
        *("/" + "a" * 5000, "/metadata/timestamp.json/", "/metadata/timestamp.json/x", "*"),
    ],
)
def test_serve_hides_all_that_is_not_a_file_of_the_channel(line: http.client.HTTPConnection, path: str) -> None:
    status, body, headers = ask(line, path)
    assert (status, body, headers["Cache-Control"]) == (404, b"", "no-cache")


def test_serve_takes_no_other_method(line: http.client.HTTPConnection) -> None:
    assert ask(line, "/empty", method="PUT")[0] == 501


def test_serve_goes_on_after_clients_that_talk_nonsense(address: str, line: http.client.HTTPConnection) -> None:
    place = urllib.parse.urlsplit(address)
    for words in (b"\0\xff\r\n\r\n", b"GET /\r\n", b"GET / HTTP/9.9\r\n\r\n", b""):
        with socket.create_connection((place.hostname, place.port), timeout=30) as other:
            other.sendall(words)
    assert ask(line, "/metadata/timestamp.json")[0] == 200


def test_serve_answers_several_at_once(address: str) -> None:
    reader = WebReader(address)
    start = threading.Barrier(8)
    found: list[bytes] = []

    def get() -> None:
        start.wait()
        found.append(reader.get(BLOB))

    threads = [threading.Thread(target=get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CONTENT] * 8


def test_reader_reads_what_is_served(address: str) -> None:
    reader = WebReader(f"{address}/")
    seen = reader.stat(BLOB)
    assert seen is not None
    assert seen.size == len(CONTENT)
    assert reader.get(BLOB, limit=10) == CONTENT[:10]
    assert reader.get(BLOB, offset=100, limit=10) == CONTENT[100:110]
    assert reader.get("hello_1.0~rc1+a^b.root.xz") == b"odd"
    assert reader.stat("none") is None
    with pytest.raises(MissingFileError, match=f"none is not in the channel {address}"):
        reader.get("none")


def test_reader_says_which_server_does_not_answer() -> None:
    with pytest.raises(NetworkError, match=r"http://127\.0\.0\.1:1/SHA256SUMS could not be read"):
        WebReader("http://127.0.0.1:1").get("SHA256SUMS")


def test_serve_says_that_a_port_is_taken(tmp_path: Path, address: str) -> None:
    port = urllib.parse.urlsplit(address).port or 0
    with pytest.raises(HostError, match=f"cannot listen on 127.0.0.1 port {port}"):
        serve.make_server(tmp_path, port=port)


@given(
    st.integers(0, 50), st.one_of(st.text(max_size=12), st.from_regex(r"bytes=[0-9]{0,3}-[0-9]{0,3}", fullmatch=True))
)
@settings(max_examples=200)
def test_part_of_stays_inside_the_file(size: int, header: str) -> None:
    try:
        part = serve.part_of(header, size=size)
    except ValueError:
        return
    assert part is None or 0 <= part.start < part.end <= size
