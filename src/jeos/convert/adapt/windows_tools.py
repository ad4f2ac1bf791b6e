"""Keep the old hypervisor's tools in Windows from starting: they fail without it, and VMware's hang for minutes.

They are not uninstalled, so that they can be switched on again; Windows's own list of programs removes them.
"""

from jeos.convert import windows
from jeos.convert.changes import Fix, Registry
from jeos.convert.machine import Machine, Options
from jeos.convert.windows import CONFIG, DISABLED, TOOLS
from jeos.disk.hive_edit import Keys, number

NAME = "windows-tools"
TITLE = "the old hypervisor's tools switched off in Windows"
ORDER = 250

_HOSTS = {"virtio": "qemu", "vmware": "vmware", "hyperv": "hyperv", "xen": "xen"}  # a kind of host, and whose tools


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return the services that are set to "disabled": those of hypervisors that the machine does not go to."""
    found = windows.ready(machine.root) if machine.system.family == "windows" else None
    if found is None:
        return None
    kept = {_HOSTS.get(host) for host in options.hosts}
    names = [
        name
        for name, start in found.services.items()
        if name in TOOLS and start < DISABLED and TOOLS[name][1] not in kept
    ]
    if not names:
        return None
    keys = tuple(Keys(f"{found.control_set}\\Services\\{name}", (number("Start", DISABLED),)) for name in names)
    notes = tuple(f"the service {name} ({TOOLS[name][0]}) is no longer started" for name in names)
    return Fix(NAME, TITLE, changes=(Registry(f"{CONFIG}/SYSTEM", keys),), notes=notes)
