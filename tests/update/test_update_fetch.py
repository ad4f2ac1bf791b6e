"""Files of a channel, from good servers and from hostile ones, and from folders."""

import hashlib
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jeos.core.errors import InputError, NetworkError
from jeos.core.run import run
from jeos.model.release import Blob
from jeos.trust.client import Missing
from jeos.update import fetch, fetch_http, http_connection
from jeos.update.errors import RoomError
from jeos.update.fetch import Channel, FetchError, Limits, Line
from jeos.update.fetch_http import HttpChannel
from scripted_server import Asked, Server, drip, head, serving, static

QUICK = Limits(silence=0.5, whole=0.6, slowest=1e5, window=0.3, tries=3, pause=0.01)
DATA = bytes(range(256)) * 1000
BLOB = Blob(hashlib.sha256(DATA).hexdigest(), len(DATA))
FILES = {"metadata/timestamp.json": b"{}", "metadata/1.root.json": b"root", fetch.blob_path(BLOB): DATA}
Answer = Callable[[Asked, socket.socket], bool]


def http(server: Server, *, line: Line | None = None, memory: str = "", limits: Limits = QUICK) -> HttpChannel:
    return HttpChannel(server.address, limits=limits, line=line or Line(), memory=memory)


@pytest.fixture(params=["http", "folder", "file://"])
def channel(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Channel]:
    """The same files from each kind of channel."""
    if request.param == "http":
        with serving(static(FILES)) as server:
            yield fetch.open_channel(server.address, limits=QUICK)
        return
    for name, data in FILES.items():
        place = tmp_path / "channel" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    folder = tmp_path / "channel"
    yield fetch.open_channel(f"file://{folder}" if request.param == "file://" else str(folder))


def test_channel_gives_files_parts_and_what_is_missing_of_a_download(channel: Channel, tmp_path: Path) -> None:
    assert channel.get("metadata/1.root.json", limit=4) == b"root"
    assert fetch.read_blob(channel, BLOB, 1000, 500) == DATA[1000:1500]
    assert fetch.read_blob(channel, BLOB, 0, 0) == b""
    place = tmp_path / "download"
    fetch.save(channel, BLOB, str(place))
    assert place.read_bytes() == DATA
    place.write_bytes(DATA[:1234])
    fetch.save(channel, BLOB, str(place))
    assert place.read_bytes() == DATA
    with pytest.raises(Missing):
        channel.get("metadata/2.root.json", limit=100)
    with pytest.raises(NetworkError):
        channel.get(fetch.blob_path(BLOB), limit=100)
    with pytest.raises(InputError):
        fetch.read_blob(channel, BLOB, len(DATA) - 1, 2)
    channel.close()


def test_damaged_beginning_of_a_download_is_fetched_anew(channel: Channel, tmp_path: Path) -> None:
    for begun in (b"x" * 100, b"x" * len(DATA), b"x" * (len(DATA) + 1)):
        place = tmp_path / "download"
        place.write_bytes(begun)
        fetch.save(channel, BLOB, str(place))
        assert place.read_bytes() == DATA


def test_blob_with_another_digest_is_refused(channel: Channel, tmp_path: Path) -> None:
    lying = Blob("0" * 64, len(DATA))
    if isinstance(channel, HttpChannel):
        FILES[fetch.blob_path(lying)] = DATA
    else:
        (tmp_path / "channel/data/00").mkdir()
        (tmp_path / "channel" / fetch.blob_path(lying)).write_bytes(DATA)
    try:
        with pytest.raises(FetchError, match="does not have the SHA-256"):
            fetch.save(channel, lying, str(tmp_path / "download"))
    finally:
        FILES.pop(fetch.blob_path(lying), None)


@pytest.mark.parametrize("address", ["ftp://a/b", "file://host/b", "s3://bucket"])
def test_address_of_another_kind_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="is no channel"):
        fetch.open_channel(address)


def test_folder_lets_nobody_out_and_reads_plain_files_only(tmp_path: Path) -> None:
    folder = tmp_path / "channel"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "link").symlink_to("../secret")
    os.mkfifo(folder / "pipe")
    channel = fetch.open_channel(str(folder))
    for path in ("../secret", "link", "pipe"):
        with pytest.raises(FetchError):
            channel.get(path, limit=100)


def test_nothing_new_costs_little(tmp_path: Path) -> None:
    timestamp = {"metadata/timestamp.json": b"x" * 900}
    with serving(static(timestamp)) as server:
        memory = str(tmp_path / "memory")
        first = http(server, memory=memory)
        assert first.get("metadata/timestamp.json", limit=1000) == b"x" * 900
        second = http(server, memory=memory)
        with pytest.raises(Missing):
            second.get("metadata/2.root.json", limit=1000)
        assert second.get("metadata/timestamp.json", limit=1000) == b"x" * 900
        assert sum(second.bytes_moved) < 900
        assert server.connections == 2
        timestamp["metadata/timestamp.json"] = b"new"
        assert second.get("metadata/timestamp.json", limit=1000) == b"new"


def test_memory_of_another_address_or_damaged_is_not_used(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    with serving(static({"metadata/timestamp.json": b"one"})) as server:
        http(server, memory=str(memory)).get("metadata/timestamp.json", limit=9)
        told = memory.read_text()
        for text in (told.replace("/hello/", "/other/"), told[:-3], "[]", '{"address": 1}', ""):
            memory.write_text(text)
            assert http(server, memory=str(memory)).get("metadata/timestamp.json", limit=9) == b"one"
        assert not any("if-none-match" in asked.headers for asked in server.asked)


def test_download_that_breaks_off_goes_on_and_not_from_the_start(tmp_path: Path) -> None:
    proper = static(FILES)

    def answer(asked: Asked, connection: socket.socket) -> bool:
        begin = int(asked.headers["range"][6:].split("-")[0]) if "range" in asked.headers else 0
        tag, piece = '"tag"', DATA[begin : begin + 50_000]
        if begin + 50_000 >= len(DATA):
            return proper(Asked(asked.path, {"range": asked.headers["range"]}), connection)
        status = "206 Partial Content" if begin else "200 OK"
        span = {"Content_Range": f"bytes {begin}-{len(DATA) - 1}/{len(DATA)}"} if begin else {}
        connection.sendall(head(status, ETag=tag, Content_Length=len(DATA) - begin, **span) + piece)
        return False

    with serving(answer) as server:
        fetch.save(http(server), BLOB, str(tmp_path / "download"))
        assert (tmp_path / "download").read_bytes() == DATA
        assert len(server.asked) == 6  # more than `tries`, since each brought something
        assert all(asked.headers["if-range"] == '"tag"' for asked in server.asked[1:])


def test_file_that_changed_meanwhile_begins_anew(tmp_path: Path) -> None:
    tags = iter(['"old"', '"new"'])

    def answer(asked: Asked, connection: socket.socket) -> bool:
        tag = next(tags)
        connection.sendall(head("200 OK", ETag=tag, Content_Length=len(DATA)))
        connection.sendall(DATA[:1000] if tag == '"old"' else DATA)
        return False

    with serving(answer) as server:
        fetch.save(http(server), BLOB, str(tmp_path / "download"))
    assert (tmp_path / "download").read_bytes() == DATA


def send(*parts: bytes, keep: bool = False) -> Answer:
    def answer(asked: Asked, connection: socket.socket) -> bool:
        for part in parts:
            connection.sendall(part)
        return keep

    return answer


def forever(before: bytes, piece: bytes) -> Answer:
    def answer(asked: Asked, connection: socket.socket) -> bool:
        connection.sendall(before)
        while True:
            connection.sendall(piece)

    return answer


def slowly(before: bytes, data: bytes) -> Answer:
    def answer(asked: Asked, connection: socket.socket) -> bool:
        connection.sendall(before)
        drip(connection, data, pause=0.02)
        return False

    return answer


def silent(asked: Asked, connection: socket.socket) -> bool:
    connection.recv(1)  # until the other side gives up
    return False


def reset(asked: Asked, connection: socket.socket) -> bool:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return False


HOSTILE_FILES = {
    "too long, and says so": (send(head("200 OK", Content_Length=10**12)), "more than the 100 that it may"),
    "too long, and lies": (forever(head("200 OK"), b"x" * 1000), "sends more than 100 bytes"),
    "endless chunks": (forever(head("200 OK", Transfer_Encoding="chunked"), b"3\r\nabc\r\n"), "more than 100 bytes"),
    "too short": (send(head("200 OK", Content_Length=50), b"x" * 20), "ended 30 bytes too early"),
    "broken chunk": (send(head("200 OK", Transfer_Encoding="chunked"), b"zz\r\n"), "does not speak HTTP properly"),
    "slow body": (slowly(head("200 OK", Content_Length=90), b"x" * 90), "too slow"),
    "slow head": (slowly(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 200), "too slow"),
    "endless head": (forever(b"HTTP/1.1 200 OK\r\n", b"X-More: x\r\n" * 9), "does not speak HTTP properly"),
    "endless line": (forever(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000), "does not speak HTTP properly"),
    "no HTTP": (send(b"SSH-2.0-OpenSSH_9.2\r\n"), "does not speak HTTP properly"),
    "silence": (silent, "too slow"),
    "reset": (reset, "the connection to 127.0.0.1:"),
    "nothing": (send(), "the connection to 127.0.0.1:"),
    "redirects for ever": (send(head("302 Found", Location="/hello/again", Content_Length=0)), "redirects for ever"),
    "redirect to a file": (send(head("302 Found", Location="file:///etc/passwd")), "is no address of a web server"),
    "redirect to nothing": (send(head("302 Found", Location="http://[")), "which is no address"),
    "busy": (send(head("503 Slow Down", Content_Length=0)), "answered '503 Slow Down'"),
    "forbidden": (send(head("403 Forbidden", Content_Length=0)), "answered '403 Forbidden'"),
    "unasked part": (send(head("206 Partial Content", Content_Length=2), b"ab"), "answered '206 Partial Content'"),
    "unasked sameness": (send(head("304 Not Modified")), "answered '304 Not Modified'"),
}


@pytest.mark.parametrize("kind", HOSTILE_FILES)
def test_hostile_server_is_given_up_on(kind: str) -> None:
    answer, words = HOSTILE_FILES[kind]
    with serving(answer) as server:
        channel = http(server)
        with pytest.raises(FetchError) as caught:
            channel.get("metadata/timestamp.json", limit=100)
        channel.close()
        assert words in caught.value.message
        assert len(server.asked) == (QUICK.tries if caught.value.again else max(1, 6 * ("for ever" in words)))


def part(span: str, data: bytes) -> Answer:
    return send(head("206 Partial Content", Content_Range=span, Content_Length=len(data)), data)


SIZE = len(DATA)
HOSTILE_PARTS = {
    "another part": (part(f"bytes 0-99/{SIZE}", DATA[:100]), "not bytes 100 to 199"),
    "a longer part": (part(f"bytes 100-299/{SIZE}", DATA[100:300]), "not bytes 100 to 199"),
    "no part": (part("bytes */5", b""), "not bytes 100 to 199"),
    "nonsense": (part("100", b"x" * 100), "not bytes 100 to 199"),
    "too little": (part(f"bytes 100-199/{SIZE}", DATA[100:150]), "50 bytes too early"),
    "slow": (slowly(head("206 Partial Content", Content_Range="bytes 100-199/1000"), b"x" * 100), "too slow"),
}


@pytest.mark.parametrize("kind", HOSTILE_PARTS)
def test_hostile_part_is_refused(kind: str) -> None:
    answer, words = HOSTILE_PARTS[kind]
    with serving(answer) as server, pytest.raises(FetchError, match=words):
        http(server).read("data/pack", offset=100, length=100)


def test_server_without_ranges_sends_all_and_the_part_is_taken() -> None:
    with serving(send(head("200 OK", Content_Length=SIZE), DATA)) as server:
        assert http(server).read("data/pack", offset=100, length=100) == DATA[100:200]


HOSTILE_DOWNLOADS = {
    "another length": (send(head("200 OK", Content_Length=SIZE + 1)), f"has {SIZE + 1} bytes"),
    "more than that": (send(head("200 OK"), DATA + b"x"), f"more than the {SIZE}"),
    "slow": (slowly(head("200 OK", Content_Length=SIZE), DATA), "too slow"),
    "silent": (send(head("200 OK", Content_Length=SIZE), DATA[:10]), "too early"),
}


@pytest.mark.parametrize("kind", HOSTILE_DOWNLOADS)
def test_hostile_download_is_given_up_on(kind: str, tmp_path: Path) -> None:
    answer, words = HOSTILE_DOWNLOADS[kind]
    limits = replace(QUICK, tries=1)
    with serving(answer) as server, pytest.raises(FetchError, match=words):
        fetch.save(http(server, limits=limits), BLOB, str(tmp_path / "download"))
    assert (tmp_path / "download").stat().st_size <= SIZE


def test_part_from_a_file_that_is_shorter_now_begins_anew(tmp_path: Path) -> None:
    place = tmp_path / "download"
    place.write_bytes(DATA[:-10])
    answers: list[Answer] = [send(head("416 Range Not Satisfiable", Content_Length=0), keep=True), static(FILES)]
    with serving(lambda asked, connection: (answers.pop(0))(asked, connection)) as server:
        fetch.save(http(server), BLOB, str(place))
    assert place.read_bytes() == DATA


def test_redirect_is_followed_and_connection_used_again() -> None:
    with serving(static(FILES)) as target:
        place = target.address

        def answer(asked: Asked, connection: socket.socket) -> bool:
            connection.sendall(head("307 Temporary Redirect", Location=f"{place[:-6]}{asked.path}", Content_Length=0))
            return True

        with serving(answer) as server:
            channel = http(server)
            for _ in range(3):
                assert channel.get("metadata/1.root.json", limit=4) == b"root"
        assert target.connections == 1


def test_connection_that_the_server_closed_is_made_anew() -> None:
    proper = static(FILES)

    def answer(asked: Asked, connection: socket.socket) -> bool:
        proper(asked, connection)
        return False

    with serving(answer) as server:
        channel = http(server, limits=replace(QUICK, tries=1))
        for _ in range(3):
            assert channel.get("metadata/1.root.json", limit=4) == b"root"


def test_full_disk_is_told_as_one(tmp_path: Path) -> None:
    with serving(static(FILES)) as server, open("/dev/full", "wb") as full:
        channel = http(server)
        ask = channel._asker.ask(f"{server.address}/{fetch.blob_path(BLOB)}", {}, seconds=0)
        with ask as answer, pytest.raises(RoomError, match="No space left on device"):
            fetch_http._copy(answer, full.fileno(), SIZE, "a")


def test_bandwidth_is_kept_to() -> None:
    ticks = [0.0]
    with serving(static(FILES)) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr("jeos.update.wire.time.monotonic", lambda: ticks[0])
        patch.setattr("jeos.update.wire.time.sleep", lambda seconds: ticks.__setitem__(0, ticks[0] + seconds))
        channel = http(server, line=Line(bandwidth=100_000))
        assert channel.read(fetch.blob_path(BLOB), offset=0, length=SIZE) == DATA
    assert 2.0 < ticks[0] < 3.0  # 256,000 bytes at 100,000 a second


def test_unreachable_server_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(FetchError, match=f"the connection to 127.0.0.1:{port} failed: Connection refused"):
        fetch.open_channel(f"http://127.0.0.1:{port}/", limits=QUICK).get("a", limit=1)


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, ""),
        ({"http_proxy": "http://proxy.example:3128"}, "http://proxy.example:3128"),
        ({"http_proxy": "proxy.example:3128"}, "http://proxy.example:3128"),
        ({"HTTP_PROXY": "http://proxy.example:3128"}, ""),
        ({"http_proxy": "http://p.example", "no_proxy": "other.example, .updates.example"}, ""),
        ({"http_proxy": "http://p.example", "no_proxy": "*"}, ""),
        ({"http_proxy": "http://p.example", "no_proxy": "dates.example"}, "http://p.example"),
    ],
)
def test_proxy_comes_from_the_environment(environment: dict[str, str], proxy: str) -> None:
    assert http_connection.proxy_of("http", "a.updates.example", environment=environment) == proxy


def test_proxy_is_asked_for_the_whole_address() -> None:
    def answer(asked: Asked, connection: socket.socket) -> bool:
        connection.sendall(head("200 OK", Content_Length=4) + b"root")
        return True

    with serving(answer) as proxy:
        line = Line(proxy=f"http://127.0.0.1:{proxy.port}")
        channel = HttpChannel("http://updates.example/hello", limits=QUICK, line=line)
        assert channel.get("metadata/1.root.json", limit=4) == b"root"
        assert proxy.asked[0].path == "http://updates.example/hello/metadata/1.root.json"
        assert proxy.asked[0].headers["host"] == "updates.example"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that vouches for itself, with its key in the same file."""
    place = tmp_path_factory.mktemp("tls") / "server.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-batch"]
    words += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    run([*words, "-keyout", place, "-out", place.with_name("certificate.pem")])
    place.write_bytes(place.read_bytes() + place.with_name("certificate.pem").read_bytes())
    return place


def over_tls(answer: Answer, certificate: Path) -> Answer:
    """Return how a proxy answers that leads to a server with this certificate, which is itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def connect(asked: Asked, connection: socket.socket) -> bool:
        assert asked.path == "localhost:443"
        connection.sendall(head("200 Connection established"))
        inner = context.wrap_socket(connection, server_side=True)
        Server(answer)._serve_one(inner)
        return False

    return connect


def test_https_goes_through_a_proxy_and_proves_the_server(certificate: Path) -> None:
    with serving(over_tls(static(FILES), certificate)) as proxy:
        line = Line(proxy=f"http://127.0.0.1:{proxy.port}", certificates=str(certificate))
        channel = HttpChannel("https://localhost/hello", limits=QUICK, line=line)
        assert channel.get("metadata/1.root.json", limit=4) == b"root"
        assert channel.read(fetch.blob_path(BLOB), offset=5, length=9) == DATA[5:14]
        assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    ("name", "certificates", "words"),
    [
        ("localhost", "another", "localhost cannot prove who it is"),
        ("127.0.0.1", "right", "127.0.0.1 cannot prove who it is"),
        ("localhost", "none", "there are no certificates at /nowhere"),
    ],
)
def test_https_server_that_proves_nothing_is_refused(
    name: str, certificates: str, words: str, certificate: Path
) -> None:
    system = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
    place = {"right": str(certificate), "none": "/nowhere", "another": system}[certificates]

    def connect(asked: Asked, connection: socket.socket) -> bool:
        return over_tls(static(FILES), certificate)(Asked("localhost:443", {}), connection)

    with serving(connect) as proxy:
        line = Line(proxy=f"http://127.0.0.1:{proxy.port}", certificates=place)
        channel = HttpChannel(f"https://{name}/hello", limits=QUICK, line=line)
        with pytest.raises(FetchError, match=words):
            channel.get("metadata/1.root.json", limit=4)


def test_https_never_leads_back_to_http(certificate: Path) -> None:
    lead = send(head("301 Moved Permanently", Location="http://localhost/", Content_Length=0))
    with serving(over_tls(lead, certificate)) as proxy:
        line = Line(proxy=f"http://127.0.0.1:{proxy.port}", certificates=str(certificate))
        with pytest.raises(FetchError, match="redirects to http://localhost/, which is not encrypted"):
            HttpChannel("https://localhost/hello", limits=QUICK, line=line).get("a", limit=4)


def endless_head(asked: Asked, connection: socket.socket) -> bool:
    """Promise an answer for ever, fast enough."""
    while True:
        connection.sendall(head("100 Continue") * 1000)


def endless_trailer(asked: Asked, connection: socket.socket) -> bool:
    """Send a whole file, then lines behind it for ever, fast enough."""
    connection.sendall(head("200 OK", Transfer_Encoding="chunked") + b"%x\r\n%s\r\n0\r\n" % (SIZE, DATA))
    while True:
        connection.sendall(b"X-More: yes\r\n" * 1000)


@pytest.mark.parametrize("answer", [endless_head, endless_trailer])
def test_download_that_never_ends_is_given_up_on(answer: Answer, tmp_path: Path) -> None:
    with serving(answer) as server, (tmp_path / "patch").open("w+b") as out:
        channel = http(server, limits=replace(QUICK, tries=1))
        with pytest.raises(FetchError, match="too slow"):
            channel.save("data/x", out.fileno(), length=SIZE)
        channel.close()


def test_range_that_never_begins_is_given_up_on() -> None:
    with serving(endless_head) as server:
        channel = http(server, limits=replace(QUICK, tries=1))
        with pytest.raises(FetchError, match="too slow"):
            channel.read("data/x", offset=0, length=SIZE)
        channel.close()
