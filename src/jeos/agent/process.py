"""Start a program in the guest with a user, a folder, an environment and pipes or a terminal.

The rest of jeos starts processes through `jeos.core.run`; here `subprocess` alone would cost a quarter of the
agent's memory, so a plain fork and exec does it.
"""

import errno
import fcntl
import os
import pwd
import signal
import struct
from collections.abc import Mapping, Sequence

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TIOCSCTTY = 0x540E  # asm-generic/ioctls.h; `termios` has it, but is not in python3-minimal
TIOCSWINSZ = 0x5414
NOT_FOUND = 127  # what a shell ends with when there is no such program
NEWS = 4096  # bytes that a child says of its failure; more than a pipe holds would block it, and the agent with it
# Signals that somebody ignores, and so would the program: Python the first two, a shell in the background the others.
INHERITED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
NOT_STARTED = 126  # what a shell ends with when a program cannot be started


class StartError(Exception):
    """A program could not be started: `status` is what a shell would end with."""

    def __init__(self, message: str, *, status: int = NOT_STARTED) -> None:
        super().__init__(message)
        self.status = status


class Account:
    """A user as a process needs it."""

    __slots__ = ("gid", "home", "name", "shell", "uid")

    def __init__(self, name: str, *, uid: int, gid: int, home: str, shell: str) -> None:
        self.name = name
        self.uid = uid
        self.gid = gid
        self.home = home
        self.shell = shell


def account(name: str) -> Account:
    """Return the user with a name or number; the agent's own for "". Raises StartError if there is none."""
    try:
        if name == "":
            found = pwd.getpwuid(os.geteuid())
        else:
            found = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except (KeyError, OverflowError):
        raise StartError(f"there is no user {name!r} in the guest") from None
    shell = found.pw_shell or "/bin/sh"
    return Account(found.pw_name, uid=found.pw_uid, gid=found.pw_gid, home=found.pw_dir, shell=shell)


def environment(user: Account, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program: what a login would set, and what was asked for."""
    given = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": user.home, "USER": user.name, "LOGNAME": user.name}
    return {**given, "SHELL": user.shell, **extra}


def set_window(terminal: int, *, rows: int, columns: int) -> None:
    """Set the size of a terminal, in characters."""
    fcntl.ioctl(terminal, TIOCSWINSZ, struct.pack("HHHH", rows & 0xFFFF, columns & 0xFFFF, 0, 0))


def start(
    argv: Sequence[str],
    *,
    user: Account,
    env: Mapping[str, str],
    cwd: str,
    descriptors: tuple[int, int, int],
    terminal: bool,
) -> int:
    """Start a program in a session of its own and return its process id.

    `descriptors` become its standard input, output and error; with `terminal` the first is its controlling
    terminal. An empty `cwd` is the user's home, or / if that does not exist. Raises StartError.
    """
    failed, failing = os.pipe()  # both close on exec: no news is good news
    child = os.fork()
    if child == 0:
        try:
            _become(user, cwd=cwd, descriptors=descriptors, terminal=terminal)
            os.execvpe(argv[0], list(argv), dict(env))
        except OSError as error:
            os.write(failing, f"{error.errno or 0} {error.filename or ''}".encode(errors="replace")[:NEWS])
        except BaseException as error:
            os.write(failing, f"0 {error}".encode(errors="replace")[:NEWS])
        finally:
            os._exit(NOT_FOUND)
    os.close(failing)
    try:
        news = os.read(failed, NEWS).decode(errors="replace")
    finally:
        os.close(failed)
    if news:
        os.waitpid(child, 0)
        raise _explain(news, argv[0], cwd=cwd)
    return child


def _explain(news: str, program: str, *, cwd: str) -> StartError:
    number, _, name = news.partition(" ")
    code = int(number)
    if cwd and name == cwd:
        return StartError(f"cannot enter the folder {cwd!r} in the guest: {os.strerror(code)}")
    if code == errno.ENOENT:
        return StartError(f"there is no program {program!r} in the guest", status=NOT_FOUND)
    return StartError(f"cannot start {program!r} in the guest: {os.strerror(code) if code else name}")


def _become(user: Account, *, cwd: str, descriptors: tuple[int, int, int], terminal: bool) -> None:
    """Turn the forked child into what the program expects to be."""
    signal.set_wakeup_fd(-1)  # a signal that comes before the exec is not the agent's
    os.setsid()
    if terminal:
        fcntl.ioctl(descriptors[0], TIOCSCTTY, 0)
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
    for number in INHERITED:
        signal.signal(number, signal.SIG_DFL)
    _forget_privilege()
    if os.geteuid() == 0:
        os.initgroups(user.name, user.gid)
        os.setgid(user.gid)
        os.setuid(user.uid)
    elif os.geteuid() != user.uid:
        raise OSError(errno.EPERM, "not root", user.name)
    if cwd:
        os.chdir(cwd)
    else:
        try:
            os.chdir(user.home)
        except OSError:
            os.chdir("/")
    os.umask(0o022)


def _forget_privilege() -> None:
    """Give up the agent's shelter from the out-of-memory killer, which is inherited."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("0")
    except OSError:
        pass
