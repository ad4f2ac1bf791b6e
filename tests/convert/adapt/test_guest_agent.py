"""QEMU's guest agent: enabled where it is installed and nothing else starts it."""

from collections.abc import Mapping

import pytest

from jeos.convert.adapt import guest_agent
from jeos.convert.changed import Changed
from jeos.convert.changes import Fix
from jeos.convert.changes import Link as MakeLink
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import Survey, System
from memory_filesystem import Content, Link, memory_root

DEVICE = "dev-virtio\\x2dports-org.qemu.guest_agent.0.device"
UNIT: dict[str, Content] = {
    "usr/lib/systemd/system/qemu-guest-agent.service": f"[Unit]\nBindsTo={DEVICE}\n[Install]\nWantedBy={DEVICE}\n"
}
ENABLED = f"etc/systemd/system/{DEVICE}.wants/qemu-guest-agent.service"


def machine(files: Mapping[str, Content]) -> Machine:
    return Machine(Survey((), ()), System(family="redhat", volume="sda1"), memory_root(files))


def test_an_installed_agent_is_enabled() -> None:
    there = machine(UNIT)
    fix = guest_agent.plan(there, Options())
    assert fix == Fix(
        "guest-agent",
        "QEMU's guest agent starts",
        changes=(MakeLink(ENABLED, "/usr/lib/systemd/system/qemu-guest-agent.service"),),
        notes=("qemu-guest-agent.service is enabled: its package was installed, and it was off",),
    )
    after = Machine(there.survey, there.system, Changed(there.root, fix.changes))
    assert guest_agent.plan(after, Options()) is None


@pytest.mark.parametrize(
    "more",
    [
        {"etc/systemd/system/qemu-guest-agent.service": Link("/dev/null")},
        {ENABLED: Link("/usr/lib/systemd/system/qemu-guest-agent.service")},
        {"usr/lib/udev/rules.d/60-qemu-guest-agent.rules": 'ENV{SYSTEMD_WANTS}="qemu-guest-agent.service"\n'},
        {"usr/lib/systemd/system/qemu-guest-agent.service": "[Unit]\nDescription=static\n"},
    ],
)
def test_an_agent_that_is_masked_or_started_is_left_alone(more: dict[str, Content]) -> None:
    assert guest_agent.plan(machine({**UNIT, **more}), Options()) is None


def test_nothing_is_planned_without_an_agent_or_for_another_host() -> None:
    assert guest_agent.plan(machine({}), Options()) is None
    assert guest_agent.plan(machine(UNIT), Options(hosts=("vmware",))) is None
