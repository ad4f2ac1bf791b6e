"""Starting the server: its folder, its database, then the processes that answer and work.

python -c "from jeos.server import start; start.prepare()"
"""

import os
import sys
import time
from pathlib import Path
from subprocess import Popen

import django
from django.core.exceptions import ValidationError
from django.core.management import call_command

from jeos.core import files, log, run
from jeos.core.errors import InputError, ProcessError
from jeos.server import environment

THREADS = 4  # of each process that answers: enough to go on while one waits for the database
STOP_SECONDS = 10  # what a process may take to end what it is at
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h
LOOK = 0.2  # seconds between looks at the processes


def prepare(*, serves: bool = False) -> None:
    """Make the folder, the secret key and the tables, or bring them up to date; for who serves the static files, too.

    Processes that answer look for static files once, as they start. Nobody may be writing the files anew meanwhile, as
    the process of background work would that starts beside them: a file that is just not there is never found again.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jeos.server.settings")
    place = environment.read().data
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    from jeos.server import translations

    with files.locked(place / ".start.lock"), log.step("prepare") as step:
        translations.write(place / "locale")  # first: Django reads the words of English as it starts
        django.setup()
        call_command("migrate", verbosity=0, interactive=False)
        if serves:
            _collect_static()
        step.done(str(place))


def _collect_static() -> None:
    """Put static files where they are served from. Raises InputError if the theme names a file that is not there."""
    try:
        call_command("collectstatic", verbosity=0, interactive=False)
    except ValueError as error:  # a style sheet refers to a missing file
        why = str(error).splitlines()[0]
        raise InputError(f"a style sheet names a file that is not there: {why}", hint="look into theme/") from error


def serve(*, host: str, port: int, workers: int, demo: bool) -> int:
    """Serve the site until told to stop, and run its background work; `demo` fills an empty one first."""
    os.environ.setdefault("JEOS_SERVER_URL", f"http://{host}:{port}")
    prepare(serves=True)
    if demo:
        _fill()
    log.info(f"listening on {os.environ['JEOS_SERVER_URL']}; Ctrl-C ends it")
    python = [sys.executable, "-X", "utf8"]
    processes = [
        run.spawn(
            [
                *(*python, "-m", "granian", "--interface", "wsgi", "--no-ws", "--log-level", "warning"),
                *("--host", host, "--port", str(port), "--workers", str(workers)),
                *("--blocking-threads", str(THREADS), "--respawn-failed-workers", "jeos.server.wsgi:application"),
            ]
        ),
        run.spawn([*python, "-m", "jeos", "server", "work"]),
    ]
    try:
        while all(process.poll() is None for process in processes):
            time.sleep(LOOK)
    finally:
        _stop(processes)
    failed = next(process for process in processes if process.returncode)
    raise ProcessError(f"a process of the server ended with status {failed.returncode}", hint="its messages say why")


def _stop(processes: list[Popen[bytes]]) -> None:
    """End processes: ask first, and insist when they take too long."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(LOOK)
        if process.poll() is None:
            process.kill()
            process.wait()


def work() -> int:
    """Run background work until told to stop."""
    prepare()
    from jeos.server.jobs import work as jobs

    jobs.work()
    return 0


def take_mail(data: bytes) -> int:
    """Keep a mail that came for the workers; return the status that the program which delivers mail is to see.

    The tables must be up to date: mail may come by the hundred, and looking after them takes a while.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jeos.server.settings")
    django.setup()
    from django.db import DatabaseError

    from jeos.server.content.mailing import taking

    try:
        taking.keep(data)
    except DatabaseError as error:
        log.info(f"the mail is not kept yet: {error}")
        return TRY_AGAIN
    return 0


def make_administrator(handle: str, email: str, *, passphrase: str) -> None:
    """Make an administrator, or give a member those rights. Raises InputError if that cannot be."""
    prepare()
    from django.contrib.auth.password_validation import validate_password

    from jeos.server.accounts import registration

    try:
        validate_password(passphrase)
        made = registration.make_administrator(handle, email, passphrase=passphrase)
    except ValidationError as error:
        raise InputError(f"{handle} cannot be made: {' '.join(error.messages)}", hint="choose another") from error
    log.info(f"{handle} is an administrator" + ("" if made else " now; the passphrase was set anew"))


def export(path: Path) -> None:
    """Write the whole site into an archive, or into a folder if the name has no suffix."""
    prepare()
    from jeos.server.archive import export as archive

    archive.write(path)
    log.info(f"wrote {path}; it holds what the database holds, keep it as well")


def bring_in(path: Path) -> None:
    """Read an archive into an empty site."""
    prepare()
    from jeos.server.archive import restore

    restore.read(path)


def load_advisories(place: Path) -> None:
    """Import known vulnerabilities from files, for workers to look for. Raises InputError; nothing changed then."""
    prepare()
    from jeos.server.catalogue import vulnerabilities

    with log.step("advisories") as step:
        done = vulnerabilities.load(place)
        step.done(f"{done.advisories} about {done.sources} source packages, from {done.files} files")
    log.info(f"{done.versions} versions of appliances are looked at by `jeos server work`")


def import_from(
    source: str, path: Path, *, prefix: str, closed: set[int] | None, files: Path | None, faces: Path | None
) -> None:
    """Read a dump of another forum into records, which workers make content of."""
    prepare()
    from jeos.server.importing import staging

    with log.step("read") as step:
        counted = staging.stage(source, path, prefix=prefix, closed=closed, files=files, faces=faces)
        step.done(", ".join(f"{count} {name} records" for name, count in counted.items() if count))
    log.info("workers make content of them now: jeos server, or jeos server work, goes on wherever it was stopped")


def import_standing(source: str, *, resume: bool) -> str:
    """Return how the import of a forum stands, after going on with it if that is wanted. Raises UsageError."""
    prepare()
    from jeos.server.importing import standing

    if resume:
        standing.resume(source)
    return standing.told(source)


def _fill() -> None:
    """Fill an empty site with the example community."""
    from jeos.server import demo

    with log.step("demo") as step:
        step.done(demo.fill())
