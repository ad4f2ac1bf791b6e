"""The host's profile: what `jeos tune --apply` wrote, and what of it this host can give a machine right now.

host_profile.tuning_for(images, memory=512)    # a Tuning; the usual one where nothing was measured
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jeos.core import files, log, settings
from jeos.core.errors import InputError
from jeos.core.run import find_program
from jeos.model.tuning import USUAL, Engine, Profile, Tuning, parse_profile, profile_text
from jeos.vm.command import PROGRAM

NAME = "host.json"  # in the folder of jeos' state
HUGE_PAGE = 2 << 20


def place() -> Path:
    """Return the file that holds the profile."""
    return settings.state_dir() / NAME


def read() -> Profile | None:
    """Return the profile, or None if there is none. Raises InputError for a damaged one."""
    try:
        return parse_profile(place().read_text(), source=str(place()))
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return parse_profile("", source=str(place()))


def write(profile: Profile) -> None:
    """Keep a profile for all machines that start from now on."""
    place().parent.mkdir(parents=True, exist_ok=True)
    files.write(place(), profile_text(profile))


def remove() -> bool:
    """Forget the profile, and tell whether there was one."""
    there = place().exists()
    place().unlink(missing_ok=True)
    return there


def measured_with() -> tuple[str, str]:
    """Return what a profile holds for: the kernel's release, and QEMU's file by size and time."""
    program = find_program(PROGRAM).resolve().stat()
    return os.uname().release, f"{program.st_size}-{program.st_mtime_ns}"


def stale(profile: Profile) -> str:
    """Return why a profile does not hold any more, or ""."""
    kernel, qemu = measured_with()
    if profile.kernel != kernel:
        return f"it was measured with the kernel {profile.kernel}, and this is {kernel}"
    return "it was measured with another QEMU" if profile.qemu != qemu else ""


def tuning_for(images: Sequence[Path], *, memory: int) -> Tuning:
    """Return how a machine with those images and `memory` MiB is to run: by the profile, as far as it can now.

    What is not is left out, never an error: a profile makes machines faster, or does nothing.
    """
    try:
        profile = read()
    except InputError as error:
        log.warn(error.message)
        return USUAL
    if profile is None:
        return USUAL
    why = stale(profile)
    if why:
        log.info(f"this host's profile is not used: {why}")
        return USUAL
    return possible(profile.tuning, images, memory=memory)


def possible(tuning: Tuning, images: Sequence[Path], *, memory: int) -> Tuning:
    """Return what of a tuning this host can give a machine with those images and `memory` MiB."""
    found = tuning
    if found.direct and not all(map(around_the_cache, images)):
        found = replace(found, direct=False)
    if found.engine is Engine.NATIVE and not found.direct:
        found = replace(found, engine=Engine.THREADS)
    if found.engine is Engine.IO_URING and io_uring_complaint():
        found = replace(found, engine=Engine.THREADS)
    if found.huge and free_huge_pages() * HUGE_PAGE < memory << 20:
        found = replace(found, huge=False)
    if found != tuning:
        log.info("this host cannot give the machine all that its profile says")
    return found


def around_the_cache(path: Path) -> bool:
    """Tell whether the file system of a file lets programs go around the host's page cache."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def io_uring_complaint() -> str:
    """Return why programs cannot use io_uring here, or "": kernels may be without it, or forbid it."""
    from jeos.vm import syscalls  # with ctypes, for few

    try:
        os.close(syscalls.io_uring_setup(1))
    except OSError as error:
        return error.strerror or str(error)
    return ""


def free_huge_pages() -> int:
    """Return how many pages of 2 MiB nobody uses or has reserved."""
    folder = Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
    try:
        return int((folder / "free_hugepages").read_text()) - int((folder / "resv_hugepages").read_text())
    except (OSError, ValueError):
        return 0
