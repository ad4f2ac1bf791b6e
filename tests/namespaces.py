"""Call functions in the build's namespace, as root or as an ordinary user made for the test; and small roots for them.

call(lambda: os.getuid())                    # in a forked child, after `namespace.enter`
with ordinary_user() as user: call(…, user=user)
"""

import os
import pickle
import pwd
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from jeos.build import launch, namespace
from jeos.core.errors import JeosError

Result = TypeVar("Result")

# What a root needs to run dpkg and small scripts; taken from the machine that runs the tests.
PROGRAMS = (
    *("sh", "bash", "cat", "ls", "id", "env", "mkdir", "ln", "rm", "mv", "touch", "chmod", "chown", "sleep", "setsid"),
    *("hostname", "mount", "unshare", "mknod", "true", "date", "kill", "sync", "stat", "readlink", "tar", "diff"),
    *("dpkg", "dpkg-deb", "dpkg-split", "dpkg-trigger", "dpkg-query", "dpkg-divert", "ldconfig", "start-stop-daemon"),
)


def call(function: Callable[[], Result], *, user: str = "", enter: bool = True) -> Result:
    """Run a function in a forked child, in the build's namespace, and return what it returns or raise its JeosError."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            if user:
                _become(user)
            if enter:
                namespace.enter()
            answer: tuple[str, object] = ("returned", function())
        except JeosError as error:
            answer = ("raised", (type(error), error.message, error.hint))
        except BaseException:
            answer = ("failed", traceback.format_exc())
        try:
            with os.fdopen(write, "wb") as file:
                pickle.dump(answer, file)
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    kind, value = pickle.loads(data)
    if kind == "raised":
        raise rebuilt(*value)
    assert kind == "returned", value
    return value  # type: ignore[no-any-return]


def rebuilt(kind: type[JeosError], message: str, hint: str) -> JeosError:
    """Return an error that was raised in another process."""
    error = kind.__new__(kind)
    JeosError.__init__(error, message, hint=hint)
    return error


def _become(user: str) -> None:
    """Become a user, with a Python that this user may start."""
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    os.environ.update(HOME=entry.pw_dir, USER=user)
    for name in ("JEOS_CACHE_DIR", "JEOS_TMPDIR", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
        os.environ.pop(name, None)
    if not os.access(sys.executable, os.X_OK):
        sys.executable = "/usr/bin/python3"
    launch.__file__ = str(Path(entry.pw_dir, "launch.py"))


@contextmanager
def ordinary_user() -> Iterator[str]:
    """Make a user with subordinate ids for a test, and remove it afterwards."""
    if os.geteuid() != 0 or not shutil.which("useradd") or not shutil.which("newuidmap"):
        pytest.skip("only root can make a user for this test, with useradd and newuidmap")
    name = f"jeos-test-{os.getpid()}"
    subprocess.run(["useradd", "--create-home", name], check=True, capture_output=True)
    try:
        entry = pwd.getpwnam(name)
        for table, option in (("subuid", "--add-subuids"), ("subgid", "--add-subgids")):
            if f"{name}:" not in Path("/etc", table).read_text():
                subprocess.run(["usermod", option, "1000000000-1000065535", name], check=True)
        copy = Path(entry.pw_dir, "launch.py")
        shutil.copy(launch.__file__, copy)
        copy.chmod(0o644)
        yield name
    finally:
        subprocess.run(["userdel", "--remove", name], check=True, capture_output=True)


def make_root(root: Path) -> Path:
    """Make a root folder with a shell, dpkg and what they need, copied from this machine."""
    for folder in ("etc", "proc", "sys", "dev", "tmp", "run", "root", "var/lib/dpkg/info", "var/lib/dpkg/updates"):
        (root / folder).mkdir(parents=True)
    for folder in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / folder).mkdir(parents=True)
        (root / folder).symlink_to(f"usr/{folder}")
    for name in ("var/lib/dpkg/status", "var/lib/dpkg/diversions"):
        (root / name).touch()
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    wanted = {Path(found).resolve() for name in PROGRAMS if (found := shutil.which(name, path="/usr/bin:/usr/sbin"))}
    for program in sorted(wanted):
        listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True).stdout.split()
        for source in [program, *(Path(word) for word in listed if word.startswith("/"))]:
            _copy(source, root)
    for name in PROGRAMS:
        target = root / "usr/bin" / name
        if not target.exists() and not (root / "usr/sbin" / name).exists() and (found := shutil.which(name)):
            target.symlink_to(Path(found).resolve())
    return root


def _copy(source: Path, root: Path) -> None:
    target = root / "usr" / str(source).removeprefix("/usr").lstrip("/")
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source.resolve(), target)
