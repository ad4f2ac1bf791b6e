"""What the environment says about this server, read once, as one value.

| variable | meaning | without it |
| --- | --- | --- |
| `JEOS_SERVER_DATA` | the folder of the database, secrets, static files and mail | `server` in the state folder |
| `JEOS_SERVER_URL` | the address that visitors use, as `https://exchange.example` | `http://127.0.0.1:8000` |
| `JEOS_SERVER_MAIL` | `smtp://USER:PASSWORD@HOST:PORT?from=ADDRESS`, or `smtps://…` | files in `mail/` |
| `JEOS_SERVER_IDEA_VOTES` | how many votes a member may spend on open ideas | 10 |
| `JEOS_SERVER_PRACTICE_APPROVALS` | how many peers must approve of a practice before it is called proven | 2 |
| `DATABASE_URL` | `postgres://USER:PASSWORD@HOST/NAME` | SQLite in the data folder |
"""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jeos.core import settings
from jeos.core.errors import UsageError

DEFAULT_URL = "http://127.0.0.1:8000"
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Environment:
    """Where a server keeps its things, and how it is reached."""

    data: Path
    url: str
    database_url: str
    mail: str
    idea_votes: int
    practice_approvals: int

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
    data = os.environ.get("JEOS_SERVER_DATA")
    return Environment(
        data=Path(data).absolute() if data else settings.state_dir() / "server",
        url=url,
        database_url=os.environ.get("DATABASE_URL", ""),
        mail=os.environ.get("JEOS_SERVER_MAIL", ""),
        idea_votes=_number("JEOS_SERVER_IDEA_VOTES", default=10),
        practice_approvals=_number("JEOS_SERVER_PRACTICE_APPROVALS", default=2),
    )


def _number(name: str, *, default: int) -> int:
    """Return a number of at least 1 from the environment. Raises UsageError for anything else."""
    text = os.environ.get(name) or str(default)
    if not text.isascii() or not text.isdecimal() or len(text) > 6 or int(text) < 1:
        raise UsageError(f"{name} is no number: {text}", hint=f"a whole number from 1 on, as {default}")
    return int(text)
