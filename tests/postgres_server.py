"""A PostgreSQL server of its own for tests and benchmarks: in a temporary folder, on a socket, gone afterwards."""

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

READY_SECONDS = 60
# Nobody needs this data after a power cut.
FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")


def program(name: str) -> str:
    """Return a program of the newest PostgreSQL server that is installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if not folders:
        raise FileNotFoundError("PostgreSQL's server is not installed: apt-get install postgresql")
    return str(folders[-1] / name)


def as_its_user(command: Sequence[str]) -> list[str]:
    """Return a command as a user who may run a server: PostgreSQL does not run as root."""
    return (
        ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
        if os.getuid() == 0
        else [*command]
    )


@contextlib.contextmanager
def running(*, options: Sequence[str] = FAST, parent: Path | None = None) -> Iterator[str]:
    """Run a server and yield the address of an empty database in it, as `DATABASE_URL` takes it."""
    folder = Path(tempfile.mkdtemp(prefix="jeos-postgres-", dir=parent))
    try:
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        data = folder / "data"
        make = [
            program("initdb"),
            "-D",
            str(data),
            "-U",
            "exchange",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C.UTF-8",
        ]
        subprocess.run(as_its_user(make), check=True, capture_output=True, cwd=folder)
        settings = [
            word
            for option in ("listen_addresses=", f"unix_socket_directories={folder}", *options)
            for word in ("-c", option)
        ]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                as_its_user([program("postgres"), "-D", str(data), *settings]), stdout=log, stderr=log, cwd=folder
            )
        try:
            _wait(server, folder)
            subprocess.run(
                ["psql", "-h", str(folder), "-U", "exchange", "-d", "postgres", "-qc", "CREATE DATABASE exchange"],
                check=True,
            )
            yield f"postgres://exchange@{quote(str(folder), safe='')}/exchange"
        finally:
            server.terminate()
            server.wait(READY_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def another(address: str) -> Iterator[str]:
    """Make another empty database on the server of one, and yield its address; it is dropped afterwards."""
    name = f"another_{secrets.token_hex(8)}"
    subprocess.run(["psql", "-qc", f"CREATE DATABASE {name}", address], check=True)
    try:
        yield f"{address.rpartition('/')[0]}/{name}"
    finally:
        subprocess.run(["psql", "-qc", f"DROP DATABASE {name} WITH (FORCE)", address], check=True)


def write_dump(address: str, path: Path) -> None:
    """Write a database into a file."""
    subprocess.run([program("pg_dump"), "-f", str(path), address], check=True)


def read_dump(address: str, path: Path) -> None:
    """Read what `write_dump` wrote into an empty database."""
    command = ["psql", "-q", "-o", os.devnull, "-v", "ON_ERROR_STOP=1", "-f", str(path), address]
    subprocess.run(command, check=True)


def _wait(server: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while subprocess.run([program("pg_isready"), "-q", "-h", str(folder)], check=False).returncode:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text()[-2_000:]}")
        time.sleep(0.05)
