"""`jeos` as its users start it: a process of its own, with folders of its own; and what such processes leave behind."""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from jeos.build import outputs
from jeos.build.reproduce import PARTS, digest
from jeos.core import settings

EXAMPLE = Path(__file__).parents[1] / "examples/web"
DEADLINE = 30.0  # seconds, for what takes a fraction of one on an idle machine
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
SECRETS_OF_TESTS = ("PYTEST_CURRENT_TEST", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")


@dataclass(frozen=True)
class Jeos:
    """The command, with its cache, state and so on below `folder`; `prefix` is what it is started through."""

    folder: Path
    environment: Mapping[str, str]
    prefix: tuple[str, ...] = ()
    python: str = sys.executable

    @property
    def cache(self) -> Path:
        return Path(self.environment["JEOS_CACHE_DIR"])

    @property
    def state(self) -> Path:
        return Path(self.environment["JEOS_STATE_DIR"])

    @property
    def work(self) -> Path:
        return Path(self.environment["JEOS_TMPDIR"])

    def having(self, **variables: str) -> "Jeos":
        return replace(self, environment={**self.environment, **variables})

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.prefix, self.python, "-m", "jeos", *(str(word) for word in words)],
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str | Path, status: int = 0, timeout: float = 800) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end, and show all that it said if it does not end with `status`."""
        process = self.start(*words)
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        assert process.returncode == status, f"jeos {' '.join(map(str, words))}: {process.returncode}\n{stdout}{stderr}"
        return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)

    def build(self, recipe: Path, *options: str) -> outputs.Outputs:
        self.run("build", recipe, *options)
        return outputs.find(recipe)


def make_jeos(folder: Path, *, store: Path | None = None) -> Jeos:
    """Return a command with nothing cached but packages: its store is `store`, or the one of whoever runs the tests."""
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS_OF_TESTS}
    for name in ("cache", "state", "run", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    packages = store or settings.cache_dir() / "store"
    packages.mkdir(parents=True, exist_ok=True)
    (folder / "cache/store").symlink_to(packages)
    environment |= {
        "JEOS_CACHE_DIR": str(folder / "cache"),
        "JEOS_STATE_DIR": str(folder / "state"),
        "JEOS_RUNTIME_DIR": str(folder / "run"),
        "JEOS_TMPDIR": str(settings.work_dir() / f"tests-{os.getpid()}"),
    }
    return Jeos(folder=folder, environment=environment)


def copy_recipe(source: Path, target: Path) -> Path:
    """Copy a recipe's folder without what was built in it."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(outputs.FOLDER))
    return target


def write_recipe(folder: Path, text: str = "", *, lock: Path | None = None) -> Path:
    """Make a recipe of a small appliance; with `lock`, what that recipe's folder has locked."""
    folder.mkdir(parents=True, exist_ok=True)
    head = 'name = "tiny"\nversion = "1"\n'
    (folder / "appliance.toml").write_text(head + text + '\n[disk]\nslot = "160M"\ndata = "64M"\n')
    if lock:
        shutil.copy(lock / "appliance.lock", folder)
    return folder


def digests(built: outputs.Outputs) -> dict[str, str]:
    """Return the SHA-256 of everything that must be the same in every build."""
    return {part: digest(built.folder / getattr(built.image, part)) for part in PARTS}


def wait_until(
    condition: Callable[[], bool],
    what: str | Callable[[], str] = "the condition never came true",
    *,
    seconds: float = DEADLINE,
    every: float = 0.02,
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what if isinstance(what, str) else what()
        time.sleep(every)


def mounts(*folders: Path) -> list[str]:
    """Return the mounts, as the kernel lists them, that have to do with these folders."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if any(str(folder) in line for folder in folders)]


@contextlib.contextmanager
def nothing_left_running() -> Iterator[None]:
    """Fail if a process that was started during the block, by whomever, outlives it by more than moments.

    Orphans become children of this process meanwhile, so that none gets away.
    """
    libc = ctypes.CDLL(None)
    before = set(_children())
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
        wait_until(lambda: not _living(before), "these processes go on")
    except AssertionError as error:
        raise AssertionError(f"{error}: {_living(before)}") from None
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _children() -> dict[int, str]:
    """Return the state of each child of this process."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid():
                found[int(stat.parent.name)] = state
    return found


def _living(before: set[int]) -> list[str]:
    """Return the command lines of the children that came since, and bury the dead."""
    found = []
    for process, state in _children().items():
        if process in before:
            continue
        if state == "Z":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process, os.WNOHANG)
        else:
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.append(f"{process}: {words}")
    return found
