"""What hypervisors and clouds have installed in a guest: tools and agents."""

from jeos.convert.survey import Tool
from jeos.core.errors import InputError
from jeos.disk.root import Root

# Name, the host that it is for, where one of its programs is, and its units.
TOOLS: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "VMware Tools",
        "vmware",
        (
            "usr/bin/vmtoolsd",
            "usr/sbin/vmtoolsd",
            "usr/lib/vmware-tools/sbin64/vmtoolsd",
            "etc/vmware-tools/services.sh",
        ),
        ("open-vm-tools", "vmtoolsd", "vgauth", "vgauthd", "vmware-tools", "run-vmblock\\x2dfuse"),
    ),
    (
        "VirtualBox Guest Additions",
        "virtualbox",
        ("usr/sbin/VBoxService", "usr/bin/VBoxService", "opt/VBoxGuestAdditions"),
        ("vboxadd", "vboxadd-service", "virtualbox-guest-utils", "vboxservice"),
    ),
    (
        "Hyper-V daemons",
        "hyperv",
        ("usr/sbin/hv_kvp_daemon", "usr/sbin/hypervkvpd", "usr/lib/hyper-v", "usr/lib/linux-tools/hv_kvp_daemon"),
        (
            "hypervkvpd",
            "hv-kvp-daemon",
            "hv_kvp_daemon",
            "hypervvssd",
            "hv-vss-daemon",
            "hypervfcopyd",
            "hv-fcopy-daemon",
        ),
    ),
    ("QEMU guest agent", "qemu", ("usr/sbin/qemu-ga", "usr/bin/qemu-ga"), ("qemu-guest-agent", "qemu-ga")),
    ("SPICE agent", "qemu", ("usr/sbin/spice-vdagentd", "usr/bin/spice-vdagentd"), ("spice-vdagentd",)),
    (
        "Xen guest agent",
        "xen",
        ("usr/sbin/xe-daemon", "usr/sbin/xe-linux-distribution"),
        ("xe-linux-distribution", "xe-daemon"),
    ),
    ("cloud-init", "cloud", ("usr/bin/cloud-init",), ("cloud-init", "cloud-init-local", "cloud-init-main")),
    ("Azure Linux agent", "cloud", ("usr/sbin/waagent",), ("waagent", "walinuxagent")),
    ("Google guest agent", "cloud", ("usr/bin/google_guest_agent",), ("google-guest-agent",)),
    ("Amazon SSM agent", "cloud", ("usr/bin/amazon-ssm-agent", "snap/amazon-ssm-agent"), ("amazon-ssm-agent",)),
)
_UNITS = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")


def read(root: Root) -> tuple[Tool, ...]:
    """Return the tools that are installed, with those of their units that are started at boot."""
    found = [(name, host, path, units) for name, host, paths, units in TOOLS if (path := _first(root, paths))]
    if not found:
        return ()
    started = _started(root)
    return tuple(
        Tool(name, host, path, tuple(f"{unit}.service" for unit in units if f"{unit}.service" in started))
        for name, host, path, units in found
    )


def _first(root: Root, paths: tuple[str, ...]) -> str:
    return next((path for path in paths if root.exists(path)), "")


def _started(root: Root) -> set[str]:
    """Return the units that others want; the links to them may lead to units that a package brings elsewhere."""
    names = set()
    for top in _UNITS:
        for folder in root.names(top):
            if folder.endswith((".wants", ".requires")):
                names |= set(root.names(f"{top}/{folder}"))
    return names - {name for name in names if _masked(root, name)}


def _masked(root: Root, unit: str) -> bool:
    try:
        return root.find(f"etc/systemd/system/{unit}", follow=False).node.target == "/dev/null"
    except InputError:
        return False
