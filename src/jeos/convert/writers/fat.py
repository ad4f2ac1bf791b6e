"""Write to FAT, which EFI system partitions have, with mtools: no root, no mount, no kernel.

FAT knows neither owners nor modes nor links. Names are found whatever their capitals.
"""

from collections.abc import Sequence

from jeos.convert.writers.base import Delete, Edit, Folder, Place, Put, Symlink, check_path
from jeos.core import files
from jeos.core.errors import InputError
from jeos.core.run import find_program, run

PROGRAMS = ("mcopy", "mdel", "mmd")
# mtools reads its configuration from many places; what is in a foreign disk need not fit its checks of geometry.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "MTOOLSRC": "/dev/null", "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8"}
_PATTERNS = frozenset('*?[]\\"<>|:')  # what mtools takes for more than a name, and FAT does not allow


def check_host() -> None:
    """Raise HostError if mtools are not installed."""
    for name in PROGRAMS:
        find_program(name)


def settle(place: Place, *, kind: str) -> None:
    """Do nothing: FAT has no journal."""


def edit(place: Place, edits: Sequence[Edit], *, kind: str) -> None:
    """Make the changes."""
    with files.temporary_folder(place.path.parent, prefix="fat-") as work:
        staged = work / "content"
        for one in edits:
            path = _path(one.path)
            match one:
                case Put(content=content):
                    staged.write_bytes(content)
                    _mtools("mcopy", place, "-D", "o", str(staged), path)
                case Folder():
                    _mtools("mmd", place, path)
                case Delete():
                    _mtools("mdel", place, path)
                case Symlink():
                    raise InputError(f"/{one.path}: FAT has no symbolic links")


def _path(path: str) -> str:
    if _PATTERNS & set(check_path(path)):
        raise InputError(f"/{path} has signs in its name that FAT does not allow")
    return f"::/{path}"


def _mtools(program: str, place: Place, *words: str) -> None:
    run([program, "-i", f"{place.path}@@{place.offset}", *words], env=ENVIRONMENT)
