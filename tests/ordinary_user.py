"""An ordinary user with subordinate ids, made for the tests alone, who runs `jeos` as it is in this checkout."""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import jeos as package
from jeos.build import namespace
from jeos.core import settings
from jeos_command import Jeos, copy_recipe, make_jeos

USER = f"jeos-{os.getpid()}"
# What an ordinary user cannot see (a checkout in root's home) is shown in a mount namespace that goes with the process.
AS_USER = """
set -e
mount --bind "$1" "$3/source"
mount --bind "$2" "$3/packages"
user=$4 group=$5
cd "$3"
shift 5
exec setpriv --reuid "$user" --regid "$group" --clear-groups "$@"
"""


def python_for_all() -> str:
    """Return a Python of our version that other users may run."""
    # Through a shell, because setpriv itself starts programs with the rights that it had.
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "sh", "-c", 'exec "$0" "$@"']
    for name in (sys.executable, "/usr/bin/python3"):
        words = [*nobody, name, "-c", "import lzma, sys; print(*sys.version_info[:2])"]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.stdout.split() == [str(number) for number in sys.version_info[:2]]:
            return name
    pytest.skip(f"ordinary users cannot run {sys.executable}, and /usr/bin/python3 is of another version")


@contextlib.contextmanager
def ordinary_user(jeos: Jeos) -> Iterator[Jeos]:
    """Yield the command as an ordinary user starts it; the user, and all that they have, is gone afterwards."""
    if os.geteuid() != 0:
        pytest.skip("needs to be root, to become somebody else")
    python = python_for_all()
    base = Path(tempfile.mkdtemp(prefix="jeos-user-"))
    base.chmod(0o755)
    subprocess.run(["useradd", "--no-create-home", "--home-dir", str(base / "home"), USER], check=True)
    try:
        if f"{USER}:" not in Path("/etc/subuid").read_text():
            ranges = ["--add-subuids", "2000000-2065535", "--add-subgids", "2000000-2065535"]
            subprocess.run(["usermod", *ranges, USER], check=True)
        own = as_user(jeos, base, python=python)
        yield own
        namespace.remove_tree(own.work)
        namespace.remove_tree(base)
    finally:
        subprocess.run(["userdel", USER], check=True)  # which refuses to if a process of the user is left
        shutil.rmtree(base, ignore_errors=True)


def as_user(jeos: Jeos, base: Path, *, python: str) -> Jeos:
    account = pwd.getpwnam(USER)
    found = make_jeos(base / "own", store=base / "store")
    # Beside root's own folder for work, which nobody else may enter.
    work = settings.MEMORY / base.name if found.work.is_relative_to(settings.MEMORY) else base / "work"
    work.mkdir()
    os.chown(work, account.pw_uid, account.pw_gid)
    for name in ("home", "source", "packages"):
        (base / name).mkdir()
    shutil.copytree(jeos.cache / "store", base / "store", dirs_exist_ok=True)
    for path in (base, *base.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
    source, packages = Path(package.__file__).parents[1], Path(pytest.__file__).parents[1]
    ids = [str(account.pw_uid), str(account.pw_gid)]
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", AS_USER, "sh"]
    environment = {
        "HOME": str(base / "home"),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{base}/source:{base}/packages",
        **{name: value for name, value in found.environment.items() if name.startswith("JEOS_")},
        "JEOS_TMPDIR": str(work),
    }
    prefix = (*words, str(source), str(packages), str(base), *ids)
    return replace(found, environment=environment, prefix=prefix, python=python)


def give(recipe: Path, target: Path) -> Path:
    """Copy a recipe for the ordinary user."""
    copy_recipe(recipe, target)
    account = pwd.getpwnam(USER)
    for path in (target, *target.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid)
    return target
