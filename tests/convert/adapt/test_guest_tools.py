"""Tools of the old hypervisor: their links under systemd and System V, masks, shares."""

from collections.abc import Mapping

from jeos.convert.adapt import guest_tools
from jeos.convert.changed import Changed
from jeos.convert.changes import Fix, Remove
from jeos.convert.changes import Link as MakeLink
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import Survey, System
from memory_filesystem import Content, Link, memory_root

UNITS: dict[str, Content] = {
    "lib/systemd/system/open-vm-tools.service": "[Unit]\n",
    "lib/systemd/system/vgauth.service": "[Unit]\n",
    "etc/systemd/system/vmtoolsd.service": Link("/lib/systemd/system/open-vm-tools.service"),
    "etc/systemd/system/multi-user.target.wants/open-vm-tools.service": Link(
        "/lib/systemd/system/open-vm-tools.service"
    ),
    "etc/systemd/system/multi-user.target.wants/ssh.service": Link("/lib/systemd/system/ssh.service"),
    "etc/systemd/system/open-vm-tools.service.requires/vgauth.service": Link("/lib/systemd/system/vgauth.service"),
    "etc/systemd/system/multi-user.target.wants/vboxadd.service": Link("/lib/systemd/system/vboxadd.service"),
    "etc/init.d/open-vm-tools": "#!/bin/sh\n",
    "etc/rc3.d/S01open-vm-tools": Link("../init.d/open-vm-tools"),
}


def machine(files: Mapping[str, Content]) -> Machine:
    system = System(family="debian", volume="sda1")
    return Machine(Survey((), ()), system, memory_root(files))


def test_units_of_vmware_and_virtualbox_do_not_start() -> None:
    there = machine(UNITS)
    fix = guest_tools.plan(there, Options())
    assert fix == Fix(
        "guest-tools",
        "tools of the old hypervisor do not start",
        changes=(
            Remove("etc/systemd/system/vmtoolsd.service"),
            Remove("etc/systemd/system/multi-user.target.wants/open-vm-tools.service"),
            Remove("etc/systemd/system/open-vm-tools.service.requires/vgauth.service"),
            Remove("etc/systemd/system/multi-user.target.wants/vboxadd.service"),
        ),
        notes=(
            "VMware's open-vm-tools, vgauth, vmtoolsd no longer start at boot",
            "VirtualBox's vboxadd no longer start at boot",
        ),
    )
    after = Machine(there.survey, there.system, Changed(there.root, fix.changes))
    assert guest_tools.plan(after, Options()) is None


def test_scripts_of_the_makers_installer_are_stopped_in_every_runlevel() -> None:
    there = machine(
        {
            "etc/rc.d/init.d/vmware-tools": "#!/bin/sh\n",
            "etc/rc.d/rc3.d/S03vmware-tools": Link("../init.d/vmware-tools"),
            "etc/rc.d/rc3.d/S55sshd": Link("../init.d/sshd"),
            "etc/rc3.d": Link("rc.d/rc3.d"),
            "etc/rc.d/rc6.d/K08vmware-tools": Link("../init.d/vmware-tools"),
        }
    )
    fix = guest_tools.plan(there, Options())
    assert fix is not None
    assert fix.changes == (
        Remove("etc/rc.d/rc3.d/S03vmware-tools"),
        MakeLink("etc/rc.d/rc3.d/K01vmware-tools", "../init.d/vmware-tools"),
    )
    after = Machine(there.survey, there.system, Changed(there.root, fix.changes))
    assert guest_tools.plan(after, Options()) is None


def test_tools_of_the_new_home_masks_and_files_stay() -> None:
    masked: dict[str, Content] = {
        "etc/systemd/system/vmtoolsd.service": Link("/dev/null"),
        "etc/systemd/system/vgauthd.service": "[Unit]\n",
    }
    assert guest_tools.plan(machine(masked), Options()) is None
    fix = guest_tools.plan(machine(UNITS), Options(hosts=("vmware",)))
    assert fix is not None
    assert fix.changes == (Remove("etc/systemd/system/multi-user.target.wants/vboxadd.service"),)


def test_folders_that_the_old_host_shared_are_said() -> None:
    fstab = ".host:/ /mnt/hgfs fuse.vmhgfs-fuse defaults 0 0\nshare /srv vboxsf rw,nofail 0 0\n#x /y vboxsf rw 0 0\n"
    fix = guest_tools.plan(machine({"etc/fstab": fstab}), Options())
    assert fix is not None
    assert (fix.changes, fix.cannot) == (
        (),
        ("/etc/fstab: /mnt/hgfs is a folder that the old host shared (fuse.vmhgfs-fuse); remove its line",),
    )
