"""LVM's list of devices and its filters."""

from collections.abc import Mapping

import pytest

from jeos.convert.adapt import lvm_devices
from jeos.convert.changed import Changed
from jeos.convert.changes import Append, Fix, Remove
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import Initrd, Kernel, Survey, System
from jeos.disk.initramfs import archive
from memory_filesystem import Content, memory_root

LIST = "etc/lvm/devices/system.devices"


def machine(files: Mapping[str, Content]) -> Machine:
    return Machine(Survey((), ()), System(family="redhat", volume="vg/root"), memory_root(files))


def test_a_list_of_the_old_disks_is_removed() -> None:
    there = machine({LIST: "IDTYPE=sys_wwid IDNAME=naa.6000c29 DEVNAME=/dev/sda2 PVID=x PART=2\n"})
    fix = lvm_devices.plan(there, Options())
    assert fix == Fix(
        "lvm-devices",
        "LVM looks at the new disks",
        changes=(Remove(LIST),),
        notes=(f"/{LIST} is removed: it names the old home's disks (`lvmdevices --importvg GROUP` makes a new one)",),
    )
    after = Machine(there.survey, there.system, Changed(there.root, fix.changes))
    assert lvm_devices.plan(after, Options()) is None


def test_an_initrd_with_a_copy_of_the_list_ignores_it() -> None:
    kernels = tuple(
        Kernel(version=name, path=f"boot/{name}", initrd=Initrd(path=f"boot/{name}.img", size=1)) for name in ("a", "b")
    )
    system = System(family="redhat", volume="vg/root", kernels=kernels)
    local = b"# local {\n"
    files: dict[str, Content] = {
        LIST: "IDNAME=naa.6000c29\n",
        "boot/a.img": archive({LIST: b"IDNAME=naa.6000c29\n", "etc/lvm/lvmlocal.conf": local}),
        "boot/b.img": archive({"init": b"x"}),
    }
    fix = lvm_devices.plan(Machine(Survey((), ()), system, memory_root(files)), Options())
    assert fix is not None
    setting = archive({"etc/lvm/lvmlocal.conf": local + b"devices {\n\tuse_devicesfile = 0\n}\n"})
    assert fix.changes == (Remove(LIST), Append("boot/a.img", setting, align=4))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('filter = [ "a|^/dev/sda2$|", "r|.*|" ]', True),
        ('global_filter = [ "a|/dev/sd|",\n    "r|.*|" ]', True),
        ('# filter = [ "a|^/dev/sda2$|", "r|.*|" ]', False),
        ('filter = [ "a|.*|" ]', False),
        ('filter = [ "r|/dev/cdrom|", "a|.*|" ]', False),
        ('filter = [ "a|^/dev/vd|", "r|.*|" ]', False),
    ],
)
def test_a_filter_that_hides_the_new_disks_is_said(setting: str, said: bool) -> None:
    fix = lvm_devices.plan(machine({"etc/lvm/lvm.conf": f"devices {{\n    {setting}\n}}\n"}), Options())
    expected = f"/etc/lvm/lvm.conf: {' '.join(setting.split())} may hide the new disks (/dev/vda…)"
    assert (fix.cannot if fix else ()) == ((expected,) if said else ())
