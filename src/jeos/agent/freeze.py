"""Holding the guest's file systems still for a backup, for seconds at most.

    freezer = Freezer(loop)
    freezer.freeze(seconds=10, answer=…)       # {"event": "frozen", …}, or "error"
    freezer.thaw(answer=…)                     # {"event": "thawed", "held": True}: nothing was written in between

A child does it, so that the agent goes on answering: it runs the hooks, freezes, waits for the word, thaws and runs the
hooks again. It thaws by itself when the time is over or the agent has gone; if the child itself is lost, the agent
thaws. So no lost message and no killed process leaves the guest frozen.

Hooks are the programs in `/usr/lib/jeos/freeze.d` and `/etc/jeos/freeze.d`, run in the order of their names with the
word `freeze` before and `thaw` after: a database can write out what it holds, and wait.
Source: Linux, include/uapi/linux/fs.h.
"""

import errno
import fcntl
import json
import os
import re
import select
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from jeos.agent.health import try_command
from jeos.agent.loop import READ, Loop

FIFREEZE, FITHAW = 0xC0045877, 0xC0045878  # _IOWR('X', 119, int), _IOWR('X', 120, int)
HOOKS = ("/usr/lib/jeos/freeze.d", "/etc/jeos/freeze.d")
HOOK_SECONDS = 30.0  # that each hook may take
MOST_SECONDS = 60.0  # that a host may ask for
MOUNTS = "/proc/self/mountinfo"
KINDS = ("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "jfs", "nilfs2", "reiserfs", "vfat", "exfat")

Answer = Callable[[Mapping[str, object]], None]
Report = Callable[[Mapping[str, object]], None]


class Kernel:
    """What is asked of the kernel; a test, which must not freeze its own machine, puts something else in its place."""

    mounts = MOUNTS

    def freeze(self, place: str) -> None:
        """Hold all writing to the file system at `place`, after what was written has reached the disk."""
        self._ask(place, FIFREEZE)

    def thaw(self, place: str) -> None:
        """Let writing go on."""
        self._ask(place, FITHAW)

    def _ask(self, place: str, request: int) -> None:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(descriptor, request, 0)
        finally:
            os.close(descriptor)


def writable_mounts(text: str) -> list[str]:
    """Return where file systems of disks are mounted that can be written, the last mounted first, each once.

    `text` is the content of mountinfo. Source: proc(5): a space in a path is \\040.
    """
    places: dict[str, str] = {}
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) < 10 or "-" not in words:
            continue
        kind, _, options = words[words.index("-") + 1 :][:3]
        if kind in KINDS and "rw" in options.split(","):
            # The first mount of a device serves: freezing one freezes them all.
            places.setdefault(words[2], re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), words[4]))
    return list(reversed(places.values()))


def hooks(folders: Sequence[str]) -> list[str]:
    """Return the programs in the folders, by name; one in a later folder takes the place of its namesake."""
    found: dict[str, str] = {}
    for folder in folders:
        with suppress(OSError):
            for name in os.listdir(folder):
                path = f"{folder}/{name}"
                if not name.startswith(".") and os.path.isfile(path) and os.access(path, os.X_OK):
                    found[name] = path
    return [found[name] for name in sorted(found)]


class Freezer:
    """The one freeze that may be under way."""

    def __init__(self, loop: Loop, *, kernel: Kernel | None = None, folders: Sequence[str] = HOOKS) -> None:
        self._loop = loop
        self._kernel = kernel or Kernel()
        self._folders = folders
        self._word = -1  # writing to it, or closing it, thaws
        self._on_frozen: Answer | None = None
        self._on_thawed: Answer | None = None

    @property
    def busy(self) -> bool:
        """Tell whether file systems are, or are about to be, frozen."""
        return self._word >= 0

    def freeze(self, *, seconds: float, answer: Answer) -> None:
        """Freeze for up to `seconds`, and answer when it is done, or why it is not."""
        if self.busy:
            answer({"event": "error", "error": "the file systems are frozen already", "status": 1})
            return
        places = writable_mounts(_read(self._kernel.mounts))
        self._on_frozen = answer
        word, self._word = os.pipe()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                self._loop.leave()
                os.close(self._word)  # ours, or the agent's end would never be seen
                os.close(reading)
                steps = _Steps(places, self._kernel, hooks(self._folders), report=_reporter(writing))
                steps.run(word, seconds=min(seconds, MOST_SECONDS))
            finally:
                os._exit(0)
        os.close(word)
        os.close(writing)
        self._listen(reading, child, places)

    def thaw(self, *, answer: Answer) -> None:
        """Let the file systems go; the answer says whether they were `held` until now."""
        if not self.busy:
            answer({"event": "thawed", "held": False})
            return
        self._on_thawed = answer
        self._let_go()

    def _listen(self, reading: int, child: int, places: Sequence[str]) -> None:
        pending = b""
        thawed = False

        def read(events: int) -> None:
            nonlocal pending, thawed
            data = os.read(reading, 65536)
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                said = json.loads(line)
                thawed = thawed or said.get("event") != "frozen"
                self._tell(said)
            if data:
                return
            self._loop.forget(reading)
            os.close(reading)
            os.waitpid(child, 0)
            if not thawed:  # it was killed
                for place in reversed(places):
                    with suppress(OSError):
                        self._kernel.thaw(place)
                self._tell({"event": "error", "error": "the process that froze the file systems was lost", "status": 1})

        self._loop.watch(reading, READ, read)

    def _tell(self, said: Mapping[str, object]) -> None:
        """Pass what the child says on to whoever waits for it."""
        frozen, self._on_frozen = self._on_frozen, None
        if frozen is not None:
            frozen(said)
        if said.get("event") == "frozen":
            return
        thawed, self._on_thawed = self._on_thawed, None
        if thawed is not None:
            thawed(said if said.get("event") == "thawed" else {"event": "thawed", "held": False})
        self._let_go()

    def _let_go(self) -> None:
        if self._word >= 0:
            with suppress(OSError):
                os.write(self._word, b"t")
            os.close(self._word)
            self._word = -1


class _Steps:
    """What the child does."""

    def __init__(self, places: Sequence[str], kernel: Kernel, hooks: Sequence[str], *, report: Report) -> None:
        self._places, self._kernel, self._hooks, self._report = places, kernel, hooks, report
        self._begun: list[str] = []
        self._frozen: list[str] = []

    def run(self, word: int, *, seconds: float) -> None:
        failure = ""
        try:
            failure = self._run_hooks() or self._freeze()
            if not failure:
                self._report({"event": "frozen", "filesystems": self._frozen, "hooks": self._begun})
                until = time.monotonic() + seconds
                asked, _, _ = select.select([word], [], [], seconds)
                held = bool(asked) and time.monotonic() < until
        except BaseException as error:
            failure = f"{type(error).__name__}: {error}"
            raise
        finally:
            self._thaw()
            if failure:
                self._report({"event": "error", "error": failure, "status": 1})
            else:
                self._report({"event": "thawed", "held": held})
            for hook in reversed(self._begun):
                try_command([hook, "thaw"], seconds=HOOK_SECONDS)

    def _run_hooks(self) -> str:
        for hook in self._hooks:
            self._begun.append(hook)  # one that fails half-way must be told to thaw, too
            wrong = try_command([hook, "freeze"], seconds=HOOK_SECONDS)
            if wrong:
                return f"{hook}: {wrong}"
        return ""

    def _freeze(self) -> str:
        for place in self._places:
            try:
                self._kernel.freeze(place)
            except OSError as error:
                if error.errno in (errno.EOPNOTSUPP, errno.ENOTTY):  # this kind cannot be frozen
                    continue
                return f"{place} cannot be frozen: {error.strerror}"
            self._frozen.append(place)
        return ""

    def _thaw(self) -> None:
        for place in reversed(self._frozen):
            with suppress(OSError):
                self._kernel.thaw(place)


def _read(place: str) -> str:
    with open(place, errors="surrogateescape") as file:
        return file.read()


def _reporter(descriptor: int) -> Report:
    """Return a function that tells the agent; that it has gone changes nothing."""

    def report(said: Mapping[str, object]) -> None:
        with suppress(OSError):
            os.write(descriptor, json.dumps(said).encode() + b"\n")

    return report
