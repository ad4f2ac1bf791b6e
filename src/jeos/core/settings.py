"""Where jeos keeps its things, and what the environment says.

| variable | meaning | without it |
| --- | --- | --- |
| `JEOS_CACHE_DIR` | store, packages, layers: can be made again | `$XDG_CACHE_HOME/jeos`, `~/.cache/jeos` |
| `JEOS_STATE_DIR` | machines, with their disks | `$XDG_STATE_HOME/jeos`, `~/.local/state/jeos` |
| `JEOS_RUNTIME_DIR` | sockets and process numbers | `$XDG_RUNTIME_DIR/jeos`, else under the state folder |
| `JEOS_BACKUPS` | where backups are: a folder, `s3://BUCKET/DIR` | `~/.local/share/jeos/backups` (XDG_DATA_HOME) |
| `JEOS_TMPDIR` | where builds work; tmpfs halves their cost | `/dev/shm` if it has room, else the cache folder |
| `JEOS_MIRROR` | the Debian mirror, as `https://mirror.example/debian` | the recipe's, else the machine's apt sources |
| `JEOS_CREDENTIALS` | passwords of private repositories, see apt_auth.conf(5) | `~/.config/jeos/credentials` |
| `JEOS_NETWORK` | `slirp`: machines get QEMU's own network, where 10.0.2.2 leads to this host | passt, if it works |
| `JEOS_ENGINE` | `libvirt` or `libvirt=URI`: new machines are domains of libvirt | jeos starts QEMU itself |
| `JEOS_CONFINE` | `strict` or `off`, for machines that are not told by `jeos run --confine` | what the host has |
| `JEOS_SHARING` | `9p`: QEMU serves shared folders itself, see `jeos run --share` | virtiofsd, if it is usable |
| `JEOS_PASSPHRASE` | the passphrase (or PIN) of keys, see `jeos keys` | it is asked for |
| `JEOS_TOKEN` | the personal token with which `jeos publish --to` writes to a catalogue | `--token-file` |
| `JEOS_PKCS11_MODULE` | the library that speaks to the token with keys | the key's address names it |
| `JEOS_SERVER_DATA` | the folder of `jeos server`: database, secrets, mail | `server` in the state folder |
| `JEOS_SERVER_URL` | the address that visitors of the server use, as `https://exchange.example` | that it listens on |
| `JEOS_SERVER_PROXIES` | how many proxies stand in front of the server and say who visits | 0 |
| `JEOS_SERVER_MAIL` | `smtp://USER:PASSWORD@HOST:PORT?from=ADDRESS`, or `smtps://…` | files in `mail/` |
| `JEOS_SERVER_MAIL_REPLY` | the address whose sub-addresses take answers by mail | no answers by mail |
| `JEOS_SERVER_MAILDIR` | a maildir from which the server's workers take mail that came | none |
| `JEOS_SERVER_PUSH` | `mailto:ADDRESS` of who runs the server: browsers show notifications | no push |
| `JEOS_SERVER_IDEA_VOTES` | how many votes a member of the server may spend on open ideas | 10 |
| `JEOS_SERVER_PRACTICE_APPROVALS` | how many peers must approve of a practice before it is called proven | 2 |
| `JEOS_SERVER_FILES` | the folder of files that members of the server upload | `files` in the data folder |
| `JEOS_SERVER_FILE_KINDS` | endings of files, besides pictures, that may be attached | `csv pdf txt zip` and others |
| `JEOS_SERVER_FILE_MIB` | how large an uploaded file may be, in MiB | 10 |
| `JEOS_SERVER_IMPORTS` | the folder of dumps that administrators of the server may import | `imports` in its folder |
| `JEOS_SERVER_OUTSIDE_HTTP` | `yes`: webhooks and channels that the server asks may have http addresses | https only |
| `JEOS_SERVER_OUTSIDE_NETWORKS` | networks that they may be in although not public, as `10.8.0.0/16` | none |
| `JEOS_SERVER_SIGN_IN` | the file that says how members of organisations sign in to the server | passphrases only |
| `DATABASE_URL` | the server's database, as `postgres://USER:PASSWORD@HOST/NAME` | SQLite in its folder |
| `JEOS_SECURITY_MIRROR` | the mirror of Debian's security updates | the recipe's, else the machine's apt sources |
"""

import os
import shutil
import stat
from pathlib import Path

MEMORY = Path("/dev/shm")
BUILD_ROOM = 4 << 30  # bytes of tmpfs that a build may want: two trees and an image


def _folder(variable: str, *, xdg: str, default: str) -> Path:
    own = os.environ.get(variable)
    return Path(own).absolute() if own else _base(xdg=xdg, default=default)


def _base(*, xdg: str, default: str) -> Path:
    base = os.environ.get(xdg)
    return (Path(base) if base else Path.home() / default) / "jeos"


def cache_dir() -> Path:
    """Return the folder for what can be made again."""
    return _folder("JEOS_CACHE_DIR", xdg="XDG_CACHE_HOME", default=".cache")


def state_dir() -> Path:
    """Return the folder for machines and what else must last."""
    return _folder("JEOS_STATE_DIR", xdg="XDG_STATE_HOME", default=".local/state")


def backups() -> str:
    """Return the address of the vault for backups."""
    return os.environ.get("JEOS_BACKUPS") or str(_base(xdg="XDG_DATA_HOME", default=".local/share") / "backups")


def runtime_dir() -> Path:
    """Return the folder for sockets and process numbers."""
    if os.environ.get("JEOS_RUNTIME_DIR"):
        return Path(os.environ["JEOS_RUNTIME_DIR"]).absolute()
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base) / "jeos" if base and Path(base).is_dir() else state_dir() / "run"


def work_dir() -> Path:
    """Return the folder for a build's temporary files: on tmpfs where that has room."""
    own = os.environ.get("JEOS_TMPDIR")
    if own:
        return Path(own).absolute()
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= BUILD_ROOM:
        folder = MEMORY / f"jeos-{os.getuid()}"
        if _is_ours(folder):
            return folder
    return cache_dir() / "work"


def _is_ours(folder: Path) -> bool:
    """Make a folder where anybody may make one; tell whether it is ours alone, and not laid there for us."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        state = folder.lstat()
    except OSError:  # a file or a broken link has its name
        return False
    return stat.S_ISDIR(state.st_mode) and state.st_uid == os.geteuid() and not state.st_mode & 0o022


def mirror() -> str | None:
    """Return the mirror that the environment names, without a slash at its end."""
    value = os.environ.get("JEOS_MIRROR", "").strip().rstrip("/")
    return value or None


def security_mirror() -> str | None:
    """Return the mirror of security updates that the environment names, without a slash at its end."""
    value = os.environ.get("JEOS_SECURITY_MIRROR", "").strip().rstrip("/")
    return value or None


def credentials() -> Path:
    """Return the file with the passwords of private repositories, which need not be there."""
    own = os.environ.get("JEOS_CREDENTIALS")
    if own:
        return Path(own).absolute()
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "jeos" / "credentials"


def network() -> str:
    """Return the kind of network that machines are to have, or nothing."""
    return os.environ.get("JEOS_NETWORK", "")


def engine() -> str:
    """Return the engine of machines that are made from now on, or nothing."""
    return os.environ.get("JEOS_ENGINE", "")


def confine() -> str:
    """Return how machines are to be fenced off that are not told, or nothing."""
    return os.environ.get("JEOS_CONFINE", "")


def sharing() -> str:
    """Return the way in which folders are to reach machines, or nothing."""
    return os.environ.get("JEOS_SHARING", "")


def passphrase() -> str | None:
    """Return the passphrase of keys that the environment gives."""
    return os.environ.get("JEOS_PASSPHRASE") or None


def token() -> str:
    """Return the token for a catalogue that the environment gives, or nothing."""
    return os.environ.get("JEOS_TOKEN", "").strip()


def pkcs11_module() -> str:
    """Return the path of the library that speaks to tokens, or nothing."""
    return os.environ.get("JEOS_PKCS11_MODULE", "")
