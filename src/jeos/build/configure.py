"""Install unpacked packages into a folder: their files are linked into place, and dpkg configures them.

    install(packages, into=folder, below=[base], scratch=scratch, time=lock.date, log=log)

What `dpkg --unpack` would do is done here (see docs/adr/0006); `dpkg --configure` is dpkg's own, in the sandbox.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jeos.build import dpkg_database, overlay
from jeos.build.compose import Composition, merge_usr
from jeos.build.dpkg_database import Database
from jeos.build.order import batches, has, is_essential
from jeos.build.sandbox import NO_SERVICES, Sandbox
from jeos.build.unpack import Unpacked
from jeos.core import files, rooted
from jeos.core.errors import ProcessError

# A configuration file that a script made before dpkg got to it is kept: nobody is there to be asked.
DPKG = ("dpkg", "--force-unsafe-io", "--force-confdef", "--force-confold", "--abort-after=1", "--log=/dev/null")

# Each machine makes its own keys at its first boot. Seeing these files, the script that makes them leaves it at that;
# they are gone when it has ended.
NO_KEYS = {f"/etc/ssh/ssh_host_{kind}_key": (b"", 0o600) for kind in ("rsa", "ecdsa", "ed25519")}

# What programs leave behind that differs from build to build, or that only they themselves need.
LEFTOVERS = (
    "etc/.pwd.lock",
    "etc/group-",
    "etc/gshadow-",
    "etc/passwd-",
    "etc/shadow-",
    "etc/subgid-",
    "etc/subuid-",
    "var/cache/debconf/config.dat-old",
    "var/cache/debconf/passwords.dat-old",
    "var/cache/debconf/templates.dat-old",
    "var/cache/ldconfig/aux-cache",
    "var/lib/dbus/machine-id",
    "var/lib/dpkg/diversions-old",
    "var/lib/dpkg/lock",
    "var/lib/dpkg/lock-frontend",
    "var/lib/dpkg/status-old",
    "var/lib/dpkg/statoverride-old",
    "var/lib/dpkg/triggers/Lock",
    "var/lib/dpkg/triggers/Unincorp",
    "var/lib/systemd/random-seed",
    "var/log/alternatives.log",
    "var/log/dpkg.log",
    "var/log/fontconfig.log",
)
MACHINE_ID = "etc/machine-id"

# How dpkg, and our own caller of preinst scripts, say that a script failed.
_FAILED = re.compile(
    r"dpkg: error processing package (?P<package>\S+) \(--configure\):\n"
    r"(?:.* (?P<script>\S+) script subprocess (?P<how>.*)|(?P<other>.*))"
    r"|jeos: (?P<our_script>preinst) of (?P<our_package>\S+) (?P<our_how>.*)"
)
FILE_NAMES = {"post-installation": "postinst", "pre-installation": "preinst"}  # as people know the scripts
SHOWN_LINES = 20


@dataclass(frozen=True)
class _Installation:
    """One layer that is being made."""

    into: Path
    below: tuple[Path, ...]
    scratch: Path
    sandbox: Sandbox
    composition: Composition
    database: Database

    def run(self, argv: Sequence[str], *, stdin: bytes = b"") -> None:
        """Run a program on the layer, and put what it changed into the layer."""
        with overlay.mounted([self.into, *self.below], scratch=self.scratch) as root:
            replace(self.sandbox, root=root).run(argv, stdin=stdin)
        overlay.merge(self.scratch / "upper", into=self.into, below=self.below)
        files.remove_tree(self.scratch)
        self.composition.refresh()


def install(
    packages: Sequence[Unpacked], *, into: Path, scratch: Path, time: int, log: Path, below: Sequence[Path] = ()
) -> None:
    """Install packages into an empty folder that goes above the folders `below`, and configure them.

    `scratch` is a folder beside `into`, on the same file system. Raises ProcessError with the name of the package and
    the script if one fails, InputError if two packages have the same file.
    """
    covers = {**NO_SERVICES, **(NO_KEYS if any(package.name == "openssh-server" for package in packages) else {})}
    layer = _Installation(
        into=into,
        below=tuple(below),
        scratch=scratch,
        sandbox=Sandbox(into, time=time, log=log, covers=covers),
        composition=Composition(into=into, below=below),
        database=Database(into=into, below=below),
    )
    if not below:
        merge_usr(packages, into=into)
    layer.composition.refresh()
    for batch in batches(packages):
        _unpack(batch, layer)
        _configure(batch, layer)
    clean(into)


def _unpack(batch: Sequence[Unpacked], layer: _Installation) -> None:
    """Bring the layer to where `dpkg --unpack` would: preinst scripts run, files placed, database written.

    A preinst runs before its package's files are there. Those of the first packages of a system cannot: before these
    packages nothing is there that could run a script.
    """
    scripted = [package for package in batch if has(package, "preinst")]
    first = any(is_essential(package) for package in batch)
    later = [] if first else scripted
    for package in batch:
        if package not in later:
            layer.composition.add(package, ready=first)
    dpkg_database.write_scripts(batch, layer.database)
    if scripted:
        _run_preinst(scripted, layer)
    for package in later:
        layer.composition.add(package)
    dpkg_database.record(batch, layer.database, composition=layer.composition)


def _run_preinst(packages: Sequence[Unpacked], layer: _Installation) -> None:
    """Run the preinst scripts, as dpkg does for packages that were never installed before."""
    folder = layer.database.folder(PREINST_NAME)
    for package in packages:
        dpkg_database.link_files(package.scripts, folder / package.name)
    calls = [f"run {package.name} {package.control['Architecture']}" for package in packages]
    try:
        layer.run(["sh", "-c", "\n".join([_RUN_PREINST, *calls, f"rm {CONTROL_FOLDER}"])])
    except ProcessError as error:
        raise _failure(layer, error) from error
    files.remove_tree(folder)


# While a preinst runs, dpkg has the package's control files in CONTROL_FOLDER, and debconf looks for them there.
CONTROL_FOLDER = "/var/lib/dpkg/tmp.ci"
PREINST_NAME = "jeos.ci"
PREINST_FOLDER = f"/var/lib/dpkg/{PREINST_NAME}"
_RUN_PREINST = f"""
export DPKG_MAINTSCRIPT_NAME=preinst DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 DPKG_MAINTSCRIPT_DEBUG=0
export DPKG_ADMINDIR=/var/lib/dpkg DPKG_ROOT=
run() {{
    echo "Preparing to unpack $1 ..."
    ln -sfn {PREINST_FOLDER}/$1 {CONTROL_FOLDER}
    DPKG_MAINTSCRIPT_PACKAGE=$1 DPKG_MAINTSCRIPT_ARCH=$2 {CONTROL_FOLDER}/preinst install </dev/null && return
    echo "jeos: preinst of $1 failed with status $?"
    exit 1
}}
"""


def _configure(batch: Sequence[Unpacked], layer: _Installation) -> None:
    """Let dpkg configure packages in their order, and what their files woke in packages that were there before."""
    names = " ".join(package.name for package in batch)
    dpkg = " ".join(DPKG)
    try:
        layer.run(["sh", "-e", "-c", f"{dpkg} --configure {names}\n{dpkg} --configure --pending"])
    except ProcessError as error:
        raise _failure(layer, error) from error
    left = {package.name for package in batch} - dpkg_database.configured(layer.database.read("status"))
    if left:
        raise ProcessError(
            f"dpkg did not configure {', '.join(sorted(left))}", hint=f"all that it said is in {layer.sandbox.log}"
        )


def _failure(layer: _Installation, error: ProcessError) -> ProcessError:
    """Return an error that names the package and the script, with what was printed before it failed."""
    log = layer.sandbox.log
    text = log.read_text(errors="replace") if log else ""
    found = _FAILED.search(text)
    if not found:
        return error
    before = text[: found.start()].rstrip().splitlines()[-SHOWN_LINES:]
    shown = "".join(f"\n  {line}" for line in before)
    script, package = found["script"] or found["our_script"], found["package"] or found["our_package"]
    if script:
        how = (found["how"] or found["our_how"]).replace("returned error exit", "failed with")
        message = f"the {FILE_NAMES.get(script, script)} script of the package {package} {how}"
    else:
        message = f"the package {found['package']} cannot be configured: {found['other'].strip()}"
    return ProcessError(f"{message}{shown}", hint=f"all that was printed is in {log}")


def clean(folder: Path) -> None:
    """Take away what would differ from build to build, and who the build's machine was."""
    for name in LEFTOVERS:
        parent, _, last = name.rpartition("/")
        (rooted.place(folder, parent) / last).unlink(missing_ok=True)
    identity = rooted.place(folder, "etc") / Path(MACHINE_ID).name
    if identity.is_file() and not identity.is_symlink():
        identity.unlink()
        identity.write_bytes(b"")  # which systemd fills in at boot
        identity.chmod(0o444)
