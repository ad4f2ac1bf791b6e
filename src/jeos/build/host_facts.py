"""Look at the host: all that `host` decides from. Takes about half a second, most of it for trying things out."""

import json
import os
import platform
import pwd
import shutil
import sys
from pathlib import Path

from jeos.build import host_trial, namespace, sources, user_network
from jeos.build.host import ID_PROGRAMS, PROGRAMS, VHOST_DEVICES, Facts, Problem, Room
from jeos.core import settings
from jeos.core.errors import HostError, JeosError
from jeos.core.run import find_program, run
from jeos.vm import accelerator, confine, firmware, passt, passthrough
from jeos.vm.command import PROGRAM, QUICK_FIRMWARE

APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")  # Ubuntu's own switch
MOUNTS = Path("/proc/self/mounts")
IOMMU_GROUPS = Path("/sys/kernel/iommu_groups")
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
TRIAL_SECONDS = 60.0  # it takes a fraction of one; a host that needs this long is not fit


def gather() -> Facts:
    """Look at everything, and try what can only be tried."""
    release = _release()
    found = accelerator.probe()
    return Facts(
        system=release.get("PRETTY_NAME", "Linux"),
        families=(release.get("ID", ""), *release.get("ID_LIKE", "").split()),
        kernel=platform.release(),
        architecture=platform.machine(),
        python=sys.version_info[:2],
        cores=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        root=os.geteuid() == 0,
        programs=frozenset(name for name in (*ID_PROGRAMS, *(one.name for one in PROGRAMS)) if _is_installed(name)),
        ids=_ids(),
        apparmor=APPARMOR.exists() and APPARMOR.read_text().strip() != "0",
        namespace=_namespace(),
        mirror=_mirror(),
        keyring=_keyring(),
        cache=room(settings.cache_dir()),
        work=room(settings.work_dir()),
        accelerator=found.kind,
        acceleration=found.reason,
        paging=found.paging,
        iommu_groups=len(list(IOMMU_GROUPS.glob("*"))),
        passable=tuple(passthrough.lines(passthrough.bound())),
        huge_pages=_huge_pages(),
        vhost=frozenset(name for name in VHOST_DEVICES if os.access(f"/dev/{name}", os.R_OK | os.W_OK)),
        firmware=_firmware(),
        quick_firmware=_quick_firmware(),
        passt=passt.complaint(),
        router=user_network.complaint(),
        fences=_fences(),
    )


def room(folder: Path, *, mounts: Path = MOUNTS) -> Room:
    """Return what is known about the file system that a folder is on, or would be if it were made."""
    there = folder
    while not there.exists():
        there = there.parent
    place = there.resolve()
    kind, longest = "unknown", -1
    for line in mounts.read_text().splitlines():
        _, point, name, *_ = line.split()
        # Blanks and the like are written as octal numbers there (fstab(5)).
        path = Path(point.encode().decode("unicode_escape"))
        if (place == path or path in place.parents) and len(path.parts) >= longest:  # a later mount covers an earlier
            kind, longest = name, len(path.parts)
    return Room(folder=str(folder), file_system=kind, free=shutil.disk_usage(there).free)


def _release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _is_installed(name: str) -> bool:
    try:
        find_program(name)
    except HostError:
        return False
    return True


def _ids() -> Problem | None:
    """Say what an ordinary user lacks in /etc/subuid and /etc/subgid."""
    if os.geteuid() == 0:
        return None
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
        for table in ("subuid", "subgid"):
            namespace.subordinate(Path("/etc", table), user=user, number=os.getuid())
    except HostError as error:
        return Problem(error.message, error.hint)
    except KeyError:
        return Problem(f"the user {os.getuid()} is not in /etc/passwd", "run jeos as a user with a name")
    return None


def _namespace() -> Problem | None:
    try:
        done = run([sys.executable, "-m", host_trial.__name__], check=False, timeout=TRIAL_SECONDS, env=_environment())
    except JeosError as error:
        return Problem(error.message, error.hint)
    if done.status != 0:
        lines = done.stderr.decode(errors="replace").splitlines() or ["no message"]
        return Problem(f"a build's first steps fail: {lines[-1]}", f"run `{sys.executable} -m {host_trial.__name__}`")
    if not done.stdout:
        return None
    problem = json.loads(done.stdout)
    return Problem(problem["message"], problem["hint"])


def _environment() -> dict[str, str]:
    """Return an environment in which the trial finds this very jeos."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _mirror() -> str:
    """Say where the mirror comes from; its address is nobody's business in a report that people pass on."""
    if settings.mirror():
        return "JEOS_MIRROR"
    return "the machine's apt sources" if sources.host_mirror() else ""


def _keyring() -> str:
    try:
        return str(sources.host_keyrings()[0])
    except HostError:
        return ""


def _huge_pages() -> str:
    """Return when the kernel gives huge pages: the word that stands in brackets, as in "always [madvise] never"."""
    try:
        return HUGE_PAGES.read_text().partition("[")[2].partition("]")[0]
    except OSError:
        return ""


def _firmware() -> str:
    try:
        return str(firmware.find().code)
    except HostError:
        return ""


def _quick_firmware() -> bool:
    """Tell whether QEMU finds the firmware of direct starts in one of its folders."""
    try:
        said = run([PROGRAM, "-L", "help"], check=False, timeout=TRIAL_SECONDS).stdout.decode(errors="replace")
    except JeosError:
        return False
    return any(Path(folder.strip(), QUICK_FIRMWARE).is_file() for folder in said.splitlines())


def _fences() -> tuple[str, ...]:
    try:
        return confine.lacking()
    except HostError as error:
        return (error.message,)
