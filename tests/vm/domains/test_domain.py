"""The domains of machines, in libvirt's own test driver: a hypervisor in memory that checks XML and keeps states."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jeos.core.errors import MachineError
from jeos.model.machine import Machine, State, Status
from jeos.vm.domains import alone, domain, library
from jeos.vm.domains.document import Owner, domain_xml
from jeos.vm.domains.domain import Condition, Power
from jeos.vm.domains.library import Host, connected
from libvirt_domains import MACHINE, WIRES, variants

FOLDER = Path("/state/web")


@pytest.fixture
def host() -> Iterator[Host]:
    """Return a test driver without any domain of jeos."""
    with connected("test:///default") as found:
        for one in found.listAllDomains():  # type: ignore[attr-defined]
            if domain.owner(one) is not None or one.name().startswith("jeos-"):
                if one.isActive():
                    one.destroy()
                one.undefine()
        yield found


@pytest.mark.parametrize("name", variants())
def test_every_domain_is_taken_and_has_its_owner(host: Host, name: str) -> None:
    machine, wires = variants()[name]
    defined = domain.define(host, machine, domain_xml(machine, wires), folder=FOLDER)
    assert domain.owner(defined) == Owner("web", "/state/web")
    assert domain.condition(defined) == Condition(Power.OFF)


def test_a_life_from_definition_to_removal(host: Host) -> None:
    assert domain.find(host, MACHINE, folder=FOLDER) is None
    defined = domain.define(host, MACHINE, domain_xml(MACHINE, WIRES), folder=FOLDER)
    defined.createWithFlags(0)
    assert domain.condition(defined) == Condition(Power.RUNNING)
    defined.suspend()
    found = domain.find(host, MACHINE, folder=FOLDER)
    assert found is not None
    assert domain.condition(found) == Condition(Power.PAUSED, "paused")
    defined.resume()
    assert domain.condition(found) == Condition(Power.RUNNING)
    defined.destroy()
    assert domain.condition(found) == Condition(Power.OFF)
    domain.undefine(found, nvram=False)
    assert domain.find(host, MACHINE, folder=FOLDER) is None


def test_defining_again_changes_the_domain(host: Host) -> None:
    domain.define(host, MACHINE, domain_xml(MACHINE, WIRES), folder=FOLDER)
    larger = replace(MACHINE, memory=512)
    defined = domain.define(host, larger, domain_xml(larger, WIRES), folder=FOLDER)
    assert "<memory unit='KiB'>524288</memory>" in defined.XMLDesc(0)


def test_a_domain_of_that_name_that_is_somebody_elses_is_not_touched(host: Host) -> None:
    theirs = host.defineXML(
        "<domain type='test'><name>jeos-web</name><memory>1024</memory><os><type>hvm</type></os></domain>"
    )
    before = theirs.XMLDesc(0)
    with pytest.raises(MachineError, match="a domain jeos-web that is not this machine"):
        domain.define(host, MACHINE, domain_xml(MACHINE, WIRES), folder=FOLDER)
    assert theirs.XMLDesc(0) == before


@pytest.mark.parametrize(
    "own", ["", "<metadata><machine xmlns='urn:jeos:machine' name='web' folder='/other'/></metadata>"]
)
def test_a_domain_of_that_uuid_that_is_somebody_elses_is_not_touched(host: Host, own: str) -> None:
    uuid = f"<uuid>{MACHINE.uuid}</uuid>"
    words = f"<name>jeos-other</name>{uuid}{own}<memory>1024</memory><os><type>hvm</type></os>"
    theirs = host.defineXML(f"<domain type='test'>{words}</domain>")
    with pytest.raises(MachineError, match="a domain jeos-other that is not this machine"):
        domain.find(host, MACHINE, folder=FOLDER)
    with pytest.raises(MachineError, match="a domain jeos-other that is not this machine"):
        domain.define(host, MACHINE, domain_xml(MACHINE, WIRES), folder=FOLDER)
    assert theirs.name() == "jeos-other"


def on_test_driver(machine: Machine = MACHINE) -> Machine:
    return replace(machine, engine="test:///default")


def test_how_a_machine_is_without_a_supervisor_is_what_libvirt_says(host: Host) -> None:
    written = State(status=Status.HEALTHY, since=5.0, version="1.0")
    machine = on_test_driver()
    gone = State(status=Status.FAILED, reason=alone.GONE, since=5.0, version="1.0")
    assert alone.state_of(machine, written, folder=FOLDER) == gone
    defined = domain.define(host, MACHINE, domain_xml(MACHINE, WIRES), folder=FOLDER)
    stopped = State(status=Status.STOPPED, reason="stopped", since=5.0)
    assert alone.state_of(machine, stopped, folder=FOLDER) == stopped
    defined.createWithFlags(0)
    for before in (written, stopped):
        found = alone.state_of(machine, before, folder=FOLDER)
        assert (found.status, found.reason) == (Status.RUNNING, alone.ALONE)
    defined.suspend()
    assert alone.state_of(machine, written, folder=FOLDER).status is Status.PAUSED
    with pytest.raises(MachineError, match="runs already, in libvirt at test:///default"):
        domain.require_off(machine, folder=FOLDER)
    domain.end(machine, folder=FOLDER)
    domain.require_off(machine, folder=FOLDER)
    domain.forget(machine, folder=FOLDER)
    domain.forget(machine, folder=FOLDER)  # nothing happens the second time
    assert domain.find(host, MACHINE, folder=FOLDER) is None


def test_a_libvirt_that_does_not_answer_leaves_open_how_a_machine_is(tmp_path: Path) -> None:
    machine = replace(MACHINE, engine=f"qemu:///session?socket={tmp_path}/none")
    running = State(status=Status.RUNNING, since=5.0)
    found = alone.state_of(machine, running, folder=FOLDER)
    assert found.status is Status.FAILED
    assert found.reason.startswith(alone.UNKNOWN)
    stopped = State(status=Status.STOPPED, since=5.0)
    assert alone.state_of(machine, stopped, folder=FOLDER) == stopped


def test_errors_of_the_library_say_what_libvirt_said(host: Host) -> None:
    with pytest.raises(MachineError, match="libvirt: Domain not found"), library.translated():
        host.lookupByName("none")
