"""The swap to resume from, in initramfs-tools' settings and in the initrds made with them."""

from jeos.convert.adapt import resume_device
from jeos.convert.changed import Changed
from jeos.convert.changes import Append, Fix, Write
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import Disk, Initrd, Kernel, Survey, System, Volume
from jeos.disk.initramfs import archive
from memory_filesystem import Content, memory_root

SWAP = Volume("sda5", "partition", 1 << 30, disk="sda", number=5, content="swap", uuid="77aa-swap")
SURVEY = Survey((Disk("sda", 1 << 33, table="dos", uuid="deadbeef"),), (SWAP,))
SETTING = "etc/initramfs-tools/conf.d/resume"
KERNEL = Kernel(version="6.1", path="boot/vmlinuz", initrd=Initrd(path="boot/initrd", size=1))


def machine(files: dict[str, Content]) -> Machine:
    system = System(family="debian", volume="sda1", kernels=(KERNEL,))
    return Machine(SURVEY, system, memory_root(files))


def test_the_swap_is_named_by_uuid_in_the_machine_and_its_initrd() -> None:
    there = machine(
        {
            SETTING: "# by the installer\nRESUME=/dev/sda5\n",
            "boot/initrd": archive({"conf/conf.d/resume": b"RESUME=/dev/sda5\n", "conf/conf.d/other": b"X=1\n"}),
        }
    )
    fix = resume_device.plan(there, Options())
    assert fix == Fix(
        "resume-device",
        "the swap to resume from by UUID",
        changes=(
            Write(SETTING, b"# by the installer\nRESUME=UUID=77aa-swap\n"),
            Append("boot/initrd", archive({"conf/conf.d/resume": b"RESUME=UUID=77aa-swap\n"}), align=4),
        ),
        notes=(
            f"/{SETTING}: the machine resumes from UUID=77aa-swap, since /dev/sda5 has another name on the new home",
        ),
    )
    after = Machine(there.survey, there.system, Changed(there.root, fix.changes))
    assert resume_device.plan(after, Options()) is None


def test_a_swap_that_is_gone_is_not_waited_for() -> None:
    fix = resume_device.plan(machine({SETTING: 'RESUME="/dev/sdb1"', "boot/initrd": archive({"init": b""})}), Options())
    assert fix is not None
    assert fix.changes == (Write(SETTING, b'RESUME="none"'),)


def test_other_settings_are_left_alone() -> None:
    for setting in ("RESUME=UUID=1\n", "RESUME=none\n", "RESUME=/dev/mapper/vg-swap\n", "#RESUME=/dev/sda5\n"):
        assert resume_device.plan(machine({SETTING: setting}), Options()) is None
