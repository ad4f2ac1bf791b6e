"""What the environment says about this server, read once, as one value.

| variable | meaning | without it |
| --- | --- | --- |
| `JEOS_SERVER_DATA` | the folder of the database, secrets, static files and mail | `server` in the state folder |
| `JEOS_SERVER_URL` | the address that visitors use, as `https://exchange.example` | `http://127.0.0.1:8000` |
| `JEOS_SERVER_PROXIES` | how many proxies of one's own stand in front, each of which adds to `X-Forwarded-For` | 0 |
| `JEOS_SERVER_MAIL` | `smtp://USER:PASSWORD@HOST:PORT?from=ADDRESS`, or `smtps://…` | files in `mail/` |
| `JEOS_SERVER_MAIL_REPLY` | the address whose sub-addresses take answers by mail, as `reply@exchange.example` | none |
| `JEOS_SERVER_MAILDIR` | a maildir from which workers take mail that came | none |
| `JEOS_SERVER_PUSH` | `mailto:ADDRESS` or `https://…` of who runs the site, for push services: switches push on | off |
| `JEOS_SERVER_IDEA_VOTES` | how many votes a member may spend on open ideas | 10 |
| `JEOS_SERVER_PRACTICE_APPROVALS` | how many peers must approve of a practice before it is called proven | 2 |
| `JEOS_SERVER_FILES` | the folder of uploaded files; hosts with one PostgreSQL share it | `files` in the data folder |
| `JEOS_SERVER_FILE_KINDS` | endings of files, besides pictures, that may be attached | `txt log pdf zip` and others |
| `JEOS_SERVER_FILE_MIB` | how large an uploaded file may be, in MiB | 10 |
| `JEOS_SERVER_IMPORTS` | dumps of other forums that administrators may import | `imports` in the data folder |
| `JEOS_SERVER_OUTSIDE_HTTP` | `yes`: webhooks and channels may have http addresses | https only |
| `JEOS_SERVER_OUTSIDE_NETWORKS` | networks that they may be in although not public, as `10.8.0.0/16, fd00::/8` | none |
| `JEOS_SERVER_SIGN_IN` | the file that says how members of organisations sign in (`sign_in.py`) | passphrases only |
| `DATABASE_URL` | `postgres://USER:PASSWORD@HOST/NAME` | SQLite in the data folder |
"""

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jeos.core import settings
from jeos.core.errors import UsageError

DEFAULT_URL = "http://127.0.0.1:8000"
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
FILE_KINDS = "csv diff gz json log patch pdf toml txt xz yaml yml zip zst"
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Environment:
    """Where a server keeps its things, and how it is reached."""

    data: Path
    url: str
    database_url: str
    mail: str
    mail_reply: str
    maildir: Path | None
    push: str
    proxies: int
    idea_votes: int
    practice_approvals: int
    files: Path
    file_kinds: tuple[str, ...]
    file_bytes: int
    imports: Path
    outside_http: bool
    outside_networks: tuple[IPNetwork, ...]
    sign_in: Path | None

    @property
    def host(self) -> str:
        """Return the name of the host that visitors use, without a port."""
        return urlsplit(self.url).hostname or "localhost"

    @property
    def secure(self) -> bool:
        """Tell whether visitors come over TLS."""
        return urlsplit(self.url).scheme == "https"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the host names that requests may be for: those of this machine too, for health checks and trials."""
        return (self.host, *LOCAL_HOSTS)


def read() -> Environment:
    """Return what the environment says. Raises UsageError if the public address is none."""
    url = (os.environ.get("JEOS_SERVER_URL") or DEFAULT_URL).rstrip("/")
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise UsageError(f"JEOS_SERVER_URL is no address of a web site: {url}", hint="as in https://exchange.example")
    given = os.environ.get("JEOS_SERVER_DATA")
    data = Path(given).absolute() if given else settings.state_dir() / "server"
    return Environment(
        data=data,
        url=url,
        database_url=os.environ.get("DATABASE_URL", ""),
        mail=os.environ.get("JEOS_SERVER_MAIL", ""),
        mail_reply=_reply_address("JEOS_SERVER_MAIL_REPLY"),
        maildir=_path("JEOS_SERVER_MAILDIR"),
        push=_contact("JEOS_SERVER_PUSH"),
        proxies=_number("JEOS_SERVER_PROXIES", default=0, least=0),
        idea_votes=_number("JEOS_SERVER_IDEA_VOTES", default=10),
        practice_approvals=_number("JEOS_SERVER_PRACTICE_APPROVALS", default=2),
        files=Path(os.environ.get("JEOS_SERVER_FILES") or data / "files").absolute(),
        file_kinds=_endings("JEOS_SERVER_FILE_KINDS", default=FILE_KINDS),
        file_bytes=_number("JEOS_SERVER_FILE_MIB", default=10) << 20,
        imports=Path(os.environ.get("JEOS_SERVER_IMPORTS") or data / "imports").absolute(),
        outside_http=_switch("JEOS_SERVER_OUTSIDE_HTTP"),
        outside_networks=_networks("JEOS_SERVER_OUTSIDE_NETWORKS"),
        sign_in=_path("JEOS_SERVER_SIGN_IN"),
    )


def _path(name: str) -> Path | None:
    """Return the path that a variable names, or None."""
    return Path(os.environ[name]).absolute() if os.environ.get(name) else None


def _switch(name: str) -> bool:
    """Return whether something is switched on. Raises UsageError for anything but yes and no."""
    text = os.environ.get(name) or "no"
    if text not in ("yes", "no"):
        raise UsageError(f"{name} is neither yes nor no: {text}", hint=f"{name}=yes, or leave it out")
    return text == "yes"


def _networks(name: str) -> tuple[IPNetwork, ...]:
    """Return the networks in a list with commas between. Raises UsageError for anything else."""
    texts = [text.strip() for text in os.environ.get(name, "").split(",") if text.strip()]
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError as error:
        raise UsageError(f"{name} names no network: {error}", hint="as in 10.8.0.0/16, fd00::/8") from error


def _reply_address(name: str) -> str:
    """Return an address that leaves room for a code in front of its @. Raises UsageError for anything else."""
    text = os.environ.get(name, "").strip()
    if text and not re.fullmatch(r"[A-Za-z0-9._-]{1,18}@[A-Za-z0-9.-]+", text):
        raise UsageError(
            f"{name} is no address with at most 18 characters before the @: {text}", hint="as in reply@exchange.example"
        )
    return text


def _contact(name: str) -> str:
    """Return how push services reach who runs the site (RFC 8292, section 2.1). Raises UsageError for anything else."""
    text = os.environ.get(name, "").strip()
    if text and not re.fullmatch(r"mailto:[^@\s]+@[^@\s]+|https://\S+", text):
        raise UsageError(f"{name} is neither mailto: nor https: {text}", hint="as in mailto:ada@example.org")
    return text


def _endings(name: str, *, default: str) -> tuple[str, ...]:
    """Return endings of file names, in small letters, from a list. Raises UsageError for what is none."""
    words = (os.environ.get(name) or default).replace(",", " ").split()
    endings = tuple(word.lower().lstrip(".") for word in words)
    for ending in endings:
        if not ending.isascii() or not ending.isalnum():
            raise UsageError(f"{name} has no ending of a file name: {ending}", hint=f"as in {default}")
    return endings


def _number(name: str, *, default: int, least: int = 1) -> int:
    """Return a number of at least `least` from the environment. Raises UsageError for anything else."""
    text = os.environ.get(name) or str(default)
    if not text.isascii() or not text.isdecimal() or len(text) > 6 or int(text) < least:
        raise UsageError(f"{name} is no number: {text}", hint=f"a whole number from {least} on, as {default}")
    return int(text)
