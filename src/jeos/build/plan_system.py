"""What makes a configured Debian root an appliance: names, network, journal, units, and what the agent reads.

Settings of ours lie in /usr/lib, where a file of the same name in /etc goes before them. /etc itself gets only what
has no place elsewhere.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from jeos.build.items import Item, link, text
from jeos.model.recipe import Recipe

APPLIANCE = "usr/lib/jeos/appliance.json"
EULA = "usr/share/jeos/EULA"
TRUST = "usr/lib/jeos/root.json"  # the vendor's TUF root, which the guest's trust begins with
OS_RELEASE = "usr/lib/os-release"
HIDDEN_LIBRARIES = "usr/lib/jeos/hidden"  # see jeos.build.system; linux.lua of the initrd names it too
RESOLVER = "etc/resolv.conf"
RESOLVER_TARGET = "/run/jeos/resolv.conf"  # the agent writes it from what DHCP says

# Units that an appliance has no use for, each with the reason. Most cost one or more programs at each boot, which is
# what boots are made of where the processor is emulated. A recipe that enables one gets it.
MASKED: Mapping[str, str] = {
    "apt-daily.timer": "packages never change in a sealed image",
    "apt-daily-upgrade.timer": "packages never change in a sealed image",
    "autovt@.service": "nobody has a password to log in with on a virtual screen",
    "dev-hugepages.mount": "programs get large pages without it, and few ask for this file system",
    "dev-mqueue.mount": "message queues work without being seen as files",
    "dpkg-db-backup.timer": "the package database never changes",
    "e2scrub_all.timer": "checks logical volumes, of which there are none",
    "e2scrub_reap.service": "checks logical volumes, of which there are none",
    "getty-static.service": "nobody has a password to log in with on a virtual screen",
    "getty@tty1.service": "the screen shows the appliance's state, not a login",
    "kmod-static-nodes.service": "the build has listed the nodes of the kernel's modules, see kernel.py",
    "ldconfig.service": "its cache would be kept in /etc and go stale with the next release",
    "man-db.timer": "there are no manual pages",
    "modprobe@drm.service": "there are no seats with screens to watch",
    "modprobe@efi_pstore.service": "keeps what a crash leaves in the firmware; a hypervisor has the console",
    "proc-sys-fs-binfmt_misc.automount": "there are no programs of other systems to run",
    "run-lock.mount": "/run/lock is a folder of /run as well",
    "serial-getty@.service": "nobody has a password to log in with on a serial line",
    "sys-fs-fuse-connections.mount": "controls file systems in user space, which work without it",
    "sys-kernel-config.mount": "sets up what the kernel emulates for other machines",
    "sys-kernel-debug.mount": "opens the kernel to nobody's use",
    "sys-kernel-tracing.mount": "opens the kernel to nobody's use",
    "systemd-ask-password-console.path": "nobody is there to answer",
    "systemd-ask-password-wall.path": "nobody is there to answer",
    "systemd-binfmt.service": "there are no programs of other systems to run",
    "systemd-boot-update.service": "the boot loader comes with updates",
    "systemd-firstboot.service": "asks questions, and nobody is there to answer",
    "systemd-hwdb-update.service": "the image has its own hardware database, or none",
    "systemd-initctl.socket": "takes orders from the tools of the init system before systemd",
    "systemd-journal-catalog-update.service": "the image has its own message catalogue, or none",
    "systemd-journal-flush.service": "the journal stays in memory",
    "systemd-network-generator.service": "the network is not set by kernel parameters",
    "systemd-networkd-persistent-storage.service": "leases are asked for anew at each start",
    "systemd-pstore.service": "keeps what firmware remembers of a crash; a hypervisor has the console",
    "systemd-remount-fs.service": "the root is sealed, and fstab empty",
    "systemd-sysusers.service": "users made at run time would hide those of the next release",
    "systemd-tmpfiles-setup-dev-early.service": "all users are there from the start, so that once is enough",
    "systemd-tmpfiles-setup-dev.service": "systemd-tmpfiles-setup.service makes devices too, in one go",
    "systemd-udev-load-credentials.service": "operators set properties, not rules for devices",
    "systemd-update-done.service": "only tells those masked here that they have run",
    "systemd-user-sessions.service": "keeps people from logging in while the system starts, which few ever do",
}

# The initrd has set up what `roothash=` on the kernel's command line asks for. Where systemd can do that too, as in
# Debian 12, it would try again, fail, and call the system degraded.
VERITY_GENERATOR = "systemd-veritysetup-generator"

ENABLED = ("systemd-networkd.service",)
# Comes with systemd-networkd, and holds up whatever wants the network: a lease that is late must not stop the boot.
DISABLED = ("systemd-networkd-wait-online.service", "systemd-network-generator.service")

NETWORK = """\
# Written by jeos: each wired interface asks for its addresses.
[Match]
Type=ether
Kind=!*

[Network]
DHCP=yes
IPv6AcceptRA=yes
LinkLocalAddressing=ipv6

[DHCPv4]
ClientIdentifier=mac
UseDomains=yes

[DHCPv6]
UseDomains=yes

[IPv6AcceptRA]
UseDomains=yes
"""

JOURNAL = """\
# Written by jeos: the journal is kept in memory, and little of it.
[Journal]
Storage=volatile
RuntimeMaxUse=8M
RuntimeMaxFileSize=2M
Audit=no
"""

LOGIN = """\
# Written by jeos: no logins on virtual screens.
[Login]
NAutoVTs=0
ReserveVT=0
"""

# The appliance goes first: nobody logs in, or presses the power button, while it starts.
LOGIN_LATER = """\
# Written by jeos.
[Unit]
After=multi-user.target
"""

# Counting all memory of all units takes memory itself. A unit that limits its own is counted as ever.
ACCOUNTING = """\
# Written by jeos: memory is counted for units that limit it.
[Manager]
DefaultMemoryAccounting=no
"""

NETWORK_LIBRARIES = f"""\
# Written by jeos: what process 1 does without, this can do without, too.
[Service]
Environment=LD_LIBRARY_PATH=/{HIDDEN_LIBRARIES}
"""

# Kinds of devices that are there before udev, and for which no rule does more than ask for drivers that also load
# when they are used. Left out with the virtual screens, which nobody logs in at, they spare 3 of 4 events at a boot.
SILENT = (
    "bdi",
    "clockevents",
    "clocksource",
    "cpu",
    "dma_heap",
    "event_source",
    "graphics",
    "machinecheck",
    "mem",
    "memory",
    "memory_tiering",
    "module",
    "node",
    "tty",
    "vc",
    "vtconsole",
    "workqueue",
)
TRIGGER = """\
# Written by jeos: nothing waits for the events of these devices.
[Service]
ExecStart=
ExecStart=-udevadm trigger --type=devices --action=add --prioritized-subsystem=block,net {silent}
{serial}"""

# Serial lines have no event of their own at a boot but where the recipe enables a login on them, which waits for it.
# Their group, which udev's rules would set, comes from this list.
SERIAL = "ExecStart=-udevadm trigger --type=devices --action=add --subsystem-match=tty --sysname-match=tty[A-Z]*\n"
SERIAL_GROUP = """\
# Written by jeos: serial lines, as udev's rules would have them.
z /dev/tty[A-Z]* 0660 root dialout -
"""

# systemd makes devices first, in a service of its own. All of it costs little more than the half.
TMPFILES = """\
# Written by jeos: in one go, before devices are looked at.
[Unit]
Before=systemd-udevd.service

[Service]
ExecStart=
ExecStart=systemd-tmpfiles --create --remove --boot
"""

# Each worker costs a tenth of a second where the processor is emulated, and udev would start ten for two dozen events.
UDEV = """\
# Written by jeos.
children_max=3
"""

# The system's slots are the initrd's and the agent's, who find them by themselves. All that udev would find out about
# each, to tell systemd, which would make units of it, takes a sixth of a second where the processor is emulated.
SLOT = 'SUBSYSTEM=="block", ENV{{DEVTYPE}}=="partition", ENV{{PARTN}}=="[2-5]", ENV{{PARTNAME}}=="{name}_*|_empty"'
SLOTS_EARLY = '{slot}, ENV{{UDEV_DISABLE_PERSISTENT_STORAGE_RULES_FLAG}}="1"\n'
SLOTS_LATE = '{slot}, ENV{{SYSTEMD_READY}}="0"\n'

# The system cannot be written to, and Debian 12 leaves /tmp on it.
TEMPORARY = """\
[Unit]
Description=Temporary files, in memory
DefaultDependencies=no
Conflicts=umount.target
Before=local-fs.target umount.target
After=swap.target

[Mount]
What=tmpfs
Where=/tmp
Type=tmpfs
Options=mode=1777,nosuid,nodev,size=50%%
"""

HOSTS = """\
127.0.0.1 localhost
127.0.1.1 {name}
::1 localhost ip6-localhost ip6-loopback
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters
"""

# Debian's own unit waits for systemd's first-boot state, in which systemd would also enable units by its presets.
# One key is enough for every client of today; an RSA key would take seconds of a slow machine's first boot.
HOST_KEYS = """\
[Unit]
Description=Make the SSH server's host key
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
ConditionFileIsExecutable=/usr/sbin/sshd
Before=ssh.service ssh.socket

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -C "" -f /etc/ssh/ssh_host_ed25519_key
"""
UNITS = "usr/lib/systemd/system"


def plan(recipe: Recipe, *, folder: Path, os_release: str) -> list[Item]:
    """Return the files that every appliance has; `os_release` is the text of the root's /usr/lib/os-release."""
    return [
        *identity(recipe, os_release=os_release),
        *settings(recipe),
        *masks(recipe),
        *(text(f"{UNITS}/{unit.name}", unit.content) for unit in recipe.units),
        text(APPLIANCE, appliance(recipe)),
        *([Item(path=EULA, source=folder / recipe.eula)] if recipe.eula else []),
        *([Item(path=TRUST, source=folder / recipe.update.root)] if recipe.update else []),
    ]


def identity(recipe: Recipe, *, os_release: str) -> Iterator[Item]:
    """Yield the files that say what the machine is, and leave open which one it is."""
    yield text("etc/hostname", f"{recipe.name}\n")
    yield text("etc/hosts", HOSTS.format(name=recipe.name))
    yield text("etc/fstab", "")
    yield text(OS_RELEASE, release(recipe, os_release=os_release))


def release(recipe: Recipe, *, os_release: str) -> str:
    """Return os-release(5) with the image's name and version, and its vendor's where there is one."""
    own = {"IMAGE_ID": recipe.name, "IMAGE_VERSION": recipe.version}
    if recipe.vendor:
        own["VENDOR_NAME"] = recipe.vendor
    kept = [line for line in os_release.splitlines() if line.partition("=")[0] not in own]
    return "".join(f"{line}\n" for line in [*kept, *(f"{key}={_quoted(value)}" for key, value in own.items())])


def _quoted(value: str) -> str:
    """Return a value for os-release, in the quotes of a shell."""
    escaped = "".join(f"\\{letter}" if letter in '"\\$`' else letter for letter in value)
    return f'"{escaped}"'


def settings(recipe: Recipe) -> Iterator[Item]:
    """Yield the settings of the network, the journal, logins, and what the recipe says of the kernel."""
    yield text("usr/lib/systemd/network/80-jeos.network", NETWORK)
    yield text("usr/lib/systemd/journald.conf.d/jeos.conf", JOURNAL)
    yield text("usr/lib/systemd/logind.conf.d/jeos.conf", LOGIN)
    yield text(f"{UNITS}/systemd-logind.service.d/jeos.conf", LOGIN_LATER)
    yield text("usr/lib/systemd/system.conf.d/jeos.conf", ACCOUNTING)
    yield text(f"{UNITS}/systemd-networkd.service.d/jeos.conf", NETWORK_LIBRARIES)
    silent = " ".join(f"--subsystem-nomatch={name}" for name in SILENT)
    serial = SERIAL if any(name.startswith("serial-getty@") for name in recipe.systemd.enable) else ""
    yield text(f"{UNITS}/systemd-udev-trigger.service.d/jeos.conf", TRIGGER.format(silent=silent, serial=serial))
    yield text("usr/lib/tmpfiles.d/jeos-serial.conf", SERIAL_GROUP)
    yield text(f"{UNITS}/systemd-tmpfiles-setup.service.d/jeos.conf", TMPFILES)
    yield text("etc/udev/udev.conf", UDEV)
    slot = SLOT.format(name=recipe.name)
    yield text("usr/lib/udev/rules.d/59-jeos-slots.rules", SLOTS_EARLY.format(slot=slot))
    yield text("usr/lib/udev/rules.d/99-t-jeos-slots.rules", SLOTS_LATE.format(slot=slot))
    if "systemd-user-sessions.service" not in recipe.systemd.enable:
        yield link("etc/tmpfiles.d/systemd-nologin.conf", "/dev/null")
    yield text("etc/systemd/system/tmp.mount", TEMPORARY)
    yield link("etc/systemd/system/local-fs.target.wants/tmp.mount", "../tmp.mount")
    yield text(f"{UNITS}/jeos-host-key.service", HOST_KEYS)
    for wants in ("ssh.service.wants", "ssh.socket.wants"):
        yield link(f"{UNITS}/{wants}/jeos-host-key.service", "../jeos-host-key.service")
    if recipe.sysctl:
        lines = "".join(f"{name} = {value}\n" for name, value in recipe.sysctl)
        yield text("usr/lib/sysctl.d/90-appliance.conf", lines)
    if recipe.kernel.modules:
        yield text("usr/lib/modules-load.d/appliance.conf", "".join(f"{name}\n" for name in recipe.kernel.modules))


def masks(recipe: Recipe) -> list[Item]:
    """Return the links that keep units from ever being started."""
    enabled = {*recipe.systemd.enable, *(unit.name for unit in recipe.units)}
    wanted = enabled | {re.sub("@.*[.]", "@.", name) for name in enabled}  # an instance wants its template
    names = {*(name for name in MASKED if name not in wanted), *recipe.systemd.mask}
    return [
        link(f"etc/systemd/system-generators/{VERITY_GENERATOR}", "/dev/null"),
        *(link(f"etc/systemd/system/{name}", "/dev/null") for name in sorted(names)),
    ]


def unit_commands(recipe: Recipe) -> list[list[str]]:
    """Return the programs to run in the root so that the right units start at boot."""
    systemctl = ["systemctl", "--root=/", "--no-reload"]
    wanted = [*recipe.systemd.enable, *(unit.name for unit in recipe.units if unit.enable)]
    disabled = [name for name in DISABLED if name not in wanted]
    commands = (("enable", [*ENABLED, *wanted]), ("disable", [*disabled, *recipe.systemd.disable]))
    return [[*systemctl, verb, "--", *names] for verb, names in commands if names]


def appliance(recipe: Recipe) -> str:
    """Return what the agent reads: name, version, ports, health checks, properties and updates, as JSON."""
    described: dict[str, object] = {
        "name": recipe.name,
        "version": recipe.version,
        "vendor": recipe.vendor,
        "summary": recipe.summary,
        "ports": [asdict(port) for port in recipe.ports],
        "health": [asdict(check) for check in recipe.health],
        "properties": [asdict(rule) for rule in recipe.properties],
    }
    if recipe.update:
        described["update"] = {key: value for key, value in asdict(recipe.update).items() if key != "root"}
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def resolver_command(recipe: Recipe) -> str:
    """Return the shell line that links the resolver's settings, or "" if the recipe has its own.

    It runs last: a link to a file that is not there yet would take the network from the recipe's commands.
    """
    own = any(rule.target == f"/{RESOLVER}" for rule in recipe.files)
    return "" if own else f"ln -sfn {RESOLVER_TARGET} /{RESOLVER}\n"
