"""A small Debian archive made on the spot: packages of a few bytes, indexes, signatures, and a server that can lie."""

import gzip
import hashlib
import io
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

ESSENTIAL = ("base-files", "dpkg", "libc6")
NEEDED = ("apt", "systemd", "systemd-sysv", "udev", "dbus", "kmod", "login", "e2fsprogs", "python3-minimal")
STANDARD = (*ESSENTIAL, *NEEDED, "libpython3-stdlib", "systemd-boot-efi", "libluajit-5.1-2", "libluajit-5.1-common")


@dataclass(frozen=True)
class Package:
    """A package of the archive; `fields` are further control fields."""

    name: str
    version: str = "1.0-1"
    fields: Mapping[str, str] = field(default_factory=dict)
    changelog: str = ""

    @property
    def path(self) -> str:
        return f"pool/main/{self.name[0]}/{self.name}/{self.name}_{self.version.replace(':', '%3a')}_amd64.deb"

    def control(self) -> str:
        lines = {"Package": self.name, "Version": self.version, "Architecture": "amd64", **self.fields}
        lines |= {"Maintainer": "Nobody <nobody@mirror.example>", "Description": "a package of a test"}
        return "".join(f"{name}: {value}\n" for name, value in lines.items())

    def deb(self) -> bytes:
        doc = f"./usr/share/doc/{self.name}"
        content = (
            {f"{doc}/changelog.Debian.gz": gzip.compress(self.changelog.encode(), mtime=0)} if self.changelog else {}
        )
        members = {
            "debian-binary": b"2.0\n",
            "control.tar.gz": _tar({"./control": self.control().encode()}),
            "data.tar.gz": _tar({f"{doc}/copyright": b"x" * 2000, **content}),
        }
        return b"!<arch>\n" + b"".join(_ar_member(name, data) for name, data in members.items())


def standard(suffix: str = "") -> list[Package]:
    """Return what every appliance needs: essential packages, systemd, a kernel, a boot loader, luajit."""
    essential = {"Essential": "yes"}
    packages = [Package(name, f"1.0-1{suffix}", essential if name in ESSENTIAL else {}) for name in STANDARD]
    kernel = f"linux-image-6.12.1{suffix}-cloud-amd64"
    packages.append(Package("luajit", fields={"Depends": "libluajit-5.1-2"}))
    packages.append(Package(kernel, fields={"Depends": "kmod, initramfs-tools"}))
    packages.append(Package("linux-image-cloud-amd64", fields={"Depends": f"{kernel} (= 1.0-1)"}))
    return packages


class Archive:
    """Packages and signed indexes in a folder, as a mirror has them."""

    def __init__(self, folder: Path, *, key: "Key") -> None:
        self.folder = folder
        self.key = key

    def publish(
        self,
        suite: str,
        packages: list[Package],
        *,
        date: float | None = None,
        valid: float | None = 7 * 86400,
        sign: bool = True,
    ) -> None:
        """Write a suite; `date` in seconds since 1970, `valid` seconds after it (None: for ever)."""
        index = "".join(self._add(package) for package in packages).encode()
        release = self.folder / "dists" / suite
        path = "main/binary-amd64/Packages"
        (release / path).parent.mkdir(parents=True, exist_ok=True)
        (release / path).write_bytes(index)
        when = time.time() if date is None else date
        lines = ["Origin: Test", f"Suite: {suite}", f"Codename: {suite}", "Architectures: amd64", "Components: main"]
        lines.append(f"Date: {formatdate(when, usegmt=True)}")
        if valid is not None:
            lines.append(f"Valid-Until: {formatdate(when + valid, usegmt=True)}")
        lines += ["SHA256:", f" {hashlib.sha256(index).hexdigest()} {len(index)} {path}"]
        text = "\n".join(lines) + "\n"
        (release / "InRelease").write_text(self.key.clearsigned(text) if sign else text)

    def _add(self, package: Package) -> str:
        data = package.deb()
        target = self.folder / package.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        return f"{package.control()}Filename: {package.path}\nSize: {len(data)}\nSHA256: {digest}\n\n"


class Key:
    """An OpenPGP key made at test time, in a GnuPG home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(mode=0o700, parents=True)
        made = ("--quick-gen-key", "Test archive <archive@mirror.example>", "ed25519", "sign", "never")
        self._gpg("--passphrase", "", *made)
        self.public = home / "public.asc"
        self.public.write_bytes(self._gpg("--armor", "--export"))

    def clearsigned(self, text: str) -> str:
        return self._gpg("--clearsign", stdin=text.encode()).decode()

    def close(self) -> None:
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "gpg-agent"], check=True)

    def _gpg(self, *arguments: str, stdin: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--pinentry-mode", "loopback", *arguments]
        return subprocess.run(command, input=stdin, check=True, capture_output=True).stdout


@contextmanager
def made_key() -> Iterator[Key]:
    """Make a key that is forgotten after the block."""
    # Not in pytest's own folders: the name of gpg-agent's socket may have no more than 108 characters.
    with tempfile.TemporaryDirectory(prefix="jeos-gpg-") as home:
        key = Key(Path(home) / "home")
        try:
            yield key
        finally:
            key.close()


# What a server does instead of sending a file: gets the request's handler and the file's bytes.
Behaviour = Callable[["Handler", bytes], None]


class Handler(BaseHTTPRequestHandler):
    """Serves a folder, with ranges, and misbehaves where it is told to."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        self.server.requests.append((path, self.headers.get("Range", "")))
        file = self.server.folder / path.lstrip("/")
        behaviour = next((act for name, act in self.server.behaviours.items() if name in path), None)
        data = file.read_bytes() if file.is_file() else b""
        if behaviour is not None:
            behaviour(self, data)
        elif not file.is_file():
            self.answer(404, b"")
        else:
            self.send_range(data)

    def send_range(self, data: bytes) -> None:
        """Send the bytes, or the part that was asked for if it is still a part of the same file."""
        tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        wanted = self.headers.get("Range", "")
        if wanted and self.headers.get("If-Range", tag) == tag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            self.answer(206, data[start:], {"ETag": tag, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})
        else:
            self.answer(200, data, {"ETag": tag})

    def answer(
        self, status: int, data: bytes, headers: Mapping[str, str] | None = None, length: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data) if length is None else length), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A web server for a folder; `behaviours` maps a part of a path to what is done instead of sending it."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.behaviours: dict[str, Behaviour] = {}
        self.requests: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve a folder during the block."""
    server = Server(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _tar(content: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(packed.getvalue(), mtime=0)


def _ar_member(name: str, data: bytes) -> bytes:
    return f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
