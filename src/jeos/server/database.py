"""Which database the server uses: SQLite in the data folder, or the PostgreSQL server that `DATABASE_URL` names."""

from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from jeos.core.errors import UsageError

# WAL lets readers go on while one writes; NORMAL flushes at checkpoints, so that a power cut loses the last moments but
# never damages the file. 64 MiB of page cache and 1 GiB of mapped file keep a large site's hot pages out of read(2).
SQLITE_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "cache_size=-65536",
    "mmap_size=1073741824",
    "temp_store=MEMORY",
    "foreign_keys=ON",
)
LOCK_SECONDS = 20  # how long a writer waits for another: many times the longest transaction that a page makes
PREPARED_AFTER = 5  # times that a statement runs before psycopg prepares it by itself; ours ask for that at once
KEEP_SECONDS = 600  # how long an idle connection to PostgreSQL is kept


def configure(url: str, *, folder: Path) -> dict[str, object]:
    """Return Django's settings for the database that `url` names, or for SQLite in `folder` without one."""
    if not url:
        return sqlite(folder / "exchange.sqlite3")
    return postgres(url)


def sqlite(path: Path | str) -> dict[str, object]:
    """Return Django's settings for an SQLite file."""
    return {
        "ENGINE": "jeos.server.sqlite",
        "NAME": str(path),
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # A transaction that is going to write takes the lock at once, where waiting works, and not in its middle.
            "transaction_mode": "IMMEDIATE",
            "timeout": LOCK_SECONDS,
            "init_command": "".join(f"PRAGMA {pragma};" for pragma in SQLITE_PRAGMAS),
        },
    }


def postgres(url: str) -> dict[str, object]:
    """Return Django's settings for `postgres://USER:PASSWORD@HOST:PORT/NAME?OPTION=VALUE`.

    A host that begins with %2F is the folder of a socket. `prepare_threshold=none` lets the server keep no statements,
    for poolers that lend a connection for one transaction and know nothing of them (PgBouncer before 1.21). Raises
    UsageError if the address names something else.
    """
    parts = urlsplit(url)
    name = unquote(parts.path.lstrip("/"))
    if parts.scheme not in ("postgres", "postgresql") or not name:
        shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()  # never the password
        raise UsageError(f"DATABASE_URL names no PostgreSQL database: {shown}", hint="as in postgres://user@host/name")
    options: dict[str, object] = dict(parse_qsl(parts.query))
    if "prepare_threshold" in options:
        given = str(options["prepare_threshold"])
        options["prepare_threshold"] = int(given) if given.isdecimal() else None
    return {
        "ENGINE": "jeos.server.postgres",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": KEEP_SECONDS,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"prepare_threshold": PREPARED_AFTER, **options},
    }
