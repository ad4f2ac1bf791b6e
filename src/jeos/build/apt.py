"""apt in a private root: its own configuration, state and cache, and nothing of the machine's.

    with AptRoot(sources, cache=cache_dir()).opened() as apt:
        apt.update()
        apt.install(["nginx-light"], installed="")       # what apt would download; nothing is installed

apt reads `APT_CONFIG` before all else. The file that we point it to moves every other path away from /etc/apt, so
that a proxy hook, a pinning or a switched-off date check of the machine cannot change what a recipe resolves to.
The lists stay in the cache folder: the next run asks only whether they are still the newest.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote

from jeos.build import apt_errors
from jeos.build.sources import Source
from jeos.core import files, settings
from jeos.core.errors import HostError, TrustError
from jeos.core.run import Completed, run
from jeos.model import deb822

ARCHITECTURE = "amd64"
FOLDER = "apt"  # in the cache
LOCK = "lock"
PINNED = 1001  # apt_preferences(5): from 1000 on a version is taken even if it is a downgrade
NEVER = -1  # apt_preferences(5): below 0 a version is never taken
TIMEOUT = 30  # seconds without a byte until apt gives a server up
TRIES = 3

# What apt may see of our environment: where its programs and the proxies are.
PASSED_ON = ("PATH", "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")

_URI = re.compile(r"^'(?P<uri>[^']+)' (?P<file>[^\s_]+_[^\s_]+_\S+) \d+\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Download:
    """A package that apt would download: its name and version, and its address."""

    name: str
    version: str
    uri: str


def lock_of(folder: Path) -> Path:
    """Return the lock of a private root's folder."""
    return folder / LOCK


class AptRoot:
    """apt with a set of sources, in a folder of its own under the cache folder."""

    def __init__(self, sources: Sequence[Source], *, cache: Path) -> None:
        self.sources = tuple(sources)
        self.folder = cache / FOLDER / _digest(self.sources)[:16]
        if re.search(r"[\s\"'\\\[\]]", str(self.folder)):
            raise HostError(
                f"apt cannot use the cache folder {cache}: its name has blanks, quotes or brackets",
                hint="set JEOS_CACHE_DIR to another folder",
            )

    @contextmanager
    def opened(self) -> Iterator["AptRoot"]:
        """Write the configuration and keep other processes out during the block."""
        lock = lock_of(self.folder)
        with files.locked(lock):
            os.utime(lock)  # the time of its last use, for `jeos store gc`
            for name in (
                "lists/partial",
                "archives/partial",
                "etc/preferences.d",
                "etc/apt.conf.d",
                "keys",
                "log",
                "tmp",
            ):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            self._write("status", "")
            self._write("apt.conf", _configuration(self.folder))
            self._write("all.list", self._lines(self.sources))
            yield self

    def update(self) -> None:
        """Bring the lists up to date; raises TrustError, NetworkError or InputError as apt's messages tell."""
        done = self._apt("apt-get", "update", "--error-on=any", check=False)
        if done.status != 0:
            raise apt_errors.of_update(_said(done), sources=self.sources)

    def prefer(self, pins: Mapping[str, str], *, exclude: Sequence[str]) -> None:
        """Choose from now on the versions in `pins`, where there are such, and never a package in `exclude`."""
        kept = [(name, f"version {version}", PINNED) for name, version in sorted(pins.items()) if name not in exclude]
        left_out = [(name, "release *", NEVER) for name in exclude]
        entries = [f"Package: {name}\nPin: {pin}\nPin-Priority: {number}\n\n" for name, pin, number in kept + left_out]
        self._write("preferences", "".join(entries))

    def install(
        self,
        wanted: Sequence[str],
        *,
        installed: Sequence[Mapping[str, str]] = (),
        only: Sequence[str] = (),
        exclude: Sequence[str] = (),
    ) -> list[Download]:
        """Return what apt would download to install names, patterns or .deb files beside those that are `installed`.

        `installed` are stanzas; `only` names the sources to look at (none means all); `exclude` is what `prefer` was
        told, for the message. Raises InputError if apt finds no solution.
        """
        self._write("installed", "".join(_as_installed(stanza) for stanza in installed))
        status = ("-o", f"Dir::State::status={self.folder}/installed")
        options = ("--print-uris", "-q", "--no-remove", *status, *self._view(only))
        done = self._apt("apt-get", "install", *options, "--", *wanted, check=False)
        if done.status != 0:
            raise apt_errors.of_install(_said(done), exclude=exclude)
        return _downloads(done)

    def download(self, packages: Sequence[str], *, only: Sequence[str] = ()) -> list[Download]:
        """Return what apt would download for `NAME` or `NAME=VERSION` alone, without what they depend on.

        Returns nothing if one of them is not there.
        """
        done = self._apt("apt-get", "download", "--print-uris", "-qq", *self._view(only), "--", *packages, check=False)
        return _downloads(done) if done.status == 0 else []

    def show(self, packages: Sequence[str], *, only: Sequence[str] = ()) -> list[dict[str, str]]:
        """Return the stanzas of packages (`NAME` for apt's choice, or `NAME=VERSION`), as far as there are such."""
        if not packages:
            return []
        done = self._apt("apt-cache", "show", "--no-all-versions", *self._view(only), "--", *packages, check=False)
        return deb822.parse(done.text)

    def names(self, *, virtual: bool = False) -> set[str]:
        """Return the names of all packages; with `virtual`, also of those that others only provide or ask for."""
        return set(self._apt("apt-cache", "pkgnames", *(["--all-names"] if virtual else [])).text.split())

    def date(self) -> int:
        """Return the newest `Date` of the InRelease files, in seconds since 1970."""
        found = [*(self.folder / "lists").glob("*_InRelease"), *(self.folder / "lists").glob("*_Release")]
        dates = [_date(path) for path in found]
        if not dates:
            raise TrustError("no repository says of which date it is", hint="its InRelease file must have a `Date`")
        return max(dates)

    def _view(self, only: Sequence[str]) -> list[str]:
        """Return options that make apt see some of the sources; each view keeps its own binary cache."""
        if not only or {source.name for source in self.sources} <= set(only):
            return []
        name = hashlib.sha256("\n".join(only).encode()).hexdigest()[:8]
        self._write(f"{name}.list", self._lines([source for source in self.sources if source.name in only]))
        return [
            "-o", f"Dir::Etc::sourcelist={self.folder}/{name}.list",
            "-o", f"Dir::Cache::pkgcache={self.folder}/{name}-packages.bin",
            "-o", f"Dir::Cache::srcpkgcache={self.folder}/{name}-sources.bin",
        ]  # fmt: skip

    def _lines(self, sources: Sequence[Source]) -> str:
        lines = []
        for source in sources:
            keys = ",".join(str(self._key(key)) for key in source.keys)
            # apt does not tell the address of what is already on a disk that it knows; by "copy:" it is not known.
            url = re.sub(r"^file:", "copy:", source.url)
            for suite in source.suites:
                components = "" if suite.endswith("/") else " ".join(source.components)
                lines.append(f"deb [arch={ARCHITECTURE} signed-by={keys}] {url} {suite} {components}\n")
        return "".join(lines)

    def _key(self, key: Path) -> Path:
        """Return a copy of a keyring under a name that says its form, as apt wants it."""
        data = key.read_bytes()
        suffix = ".asc" if data.lstrip().startswith(b"-----BEGIN PGP") else ".gpg"
        copy = self.folder / "keys" / (hashlib.sha256(data).hexdigest()[:16] + suffix)
        if not copy.exists():
            files.write(copy, data)
        return copy

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        if not path.exists() or path.read_text() != text:
            files.write(path, text, durable=False)

    def _apt(self, *argv: str, check: bool = True) -> Completed:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment |= {
            "APT_CONFIG": str(self.folder / "apt.conf"),
            "LC_ALL": "C.UTF-8",  # messages are read: apt_errors
            "TMPDIR": str(self.folder / "tmp"),
            "HOME": str(self.folder),
            "DEBIAN_FRONTEND": "noninteractive",
        }
        return run(argv, env=environment, check=check)


def _configuration(folder: Path) -> str:
    """Return the apt.conf(5) of a private root."""
    dpkg = shutil.which("dpkg") or "/usr/bin/dpkg"
    return f"""\
Dir "{folder}";
Dir::State "{folder}";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}";
Dir::Cache::archives "{folder}/archives";
Dir::Log "{folder}/log";
Dir::Etc "{folder}/etc";
Dir::Etc::main "";
Dir::Etc::parts "{folder}/etc/apt.conf.d";
Dir::Etc::sourcelist "{folder}/all.list";
Dir::Etc::sourceparts "";
Dir::Etc::preferences "{folder}/preferences";
Dir::Etc::preferencesparts "{folder}/etc/preferences.d";
Dir::Etc::netrc "{settings.credentials()}";
Dir::Etc::netrcparts "";
Dir::Etc::trusted "";
Dir::Etc::trustedparts "";
Dir::Bin::dpkg "{dpkg}";
APT::Architecture "{ARCHITECTURE}";
APT::Architectures {{ "{ARCHITECTURE}"; }};
APT::Sandbox::User "root";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::AllowReleaseInfoChange "true";
Acquire::Check-Valid-Until "true";
Acquire::Check-Date "true";
Acquire::Languages "none";
Acquire::PDiffs "false";
Acquire::Retries "{TRIES}";
Acquire::http::Timeout "{TIMEOUT}";
Acquire::https::Timeout "{TIMEOUT}";
Debug::NoLocking "true";
"""


def _as_installed(stanza: Mapping[str, str]) -> str:
    fields = {**stanza, "status": "install ok installed"}
    return "".join(f"{name}: {value.replace(chr(10), chr(10) + ' ')}\n" for name, value in fields.items()) + "\n"


def _downloads(done: Completed) -> list[Download]:
    """Return the packages in the output of --print-uris: `'ADDRESS' NAME_VERSION_ARCHITECTURE.deb SIZE HASH`."""
    found = []
    for match in _URI.finditer(done.text):
        name, version, _ = match["file"].split("_", 2)
        found.append(Download(name=name, version=unquote(version), uri=match["uri"]))
    return found


def _date(path: Path) -> int:
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith("Date:"):
            return int(parsedate_to_datetime(line.removeprefix("Date:").strip()).timestamp())
    return 0


def _said(done: Completed) -> str:
    return (done.stdout + b"\n" + done.stderr).decode(errors="replace")


def _digest(sources: Sequence[Source]) -> str:
    known = [
        (source.name, source.url, source.suites, source.components, [key.read_bytes().hex() for key in source.keys])
        for source in sources
    ]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()
