from dataclasses import replace

import pytest

from jeos.core.errors import HostError, UsageError
from jeos.model.machine import Channel, Confine, Device, Limits, Machine
from jeos.model.saved import Start
from jeos.vm import engine
from jeos.vm.domains import library
from jeos.vm.domains.check import check

MACHINE = Machine(name="web", disk="/images/web.img", engine="qemu:///session")


@pytest.mark.parametrize(
    ("wanted", "what"),
    [
        (replace(MACHINE, devices=(Device("0000:03:00.0"),)), "have devices"),
        (replace(MACHINE, limits=Limits(cpu=50)), "limits"),
        (replace(MACHINE, confine=Confine.STRICT), "fenced off"),
        (replace(MACHINE, channel=Channel.VSOCK), "vsock"),
        (replace(MACHINE, supply=("backup", "serve")), "from a backup"),
    ],
)
def test_what_libvirt_machines_cannot_have_is_refused(wanted: Machine, what: str) -> None:
    check(MACHINE)
    with pytest.raises(UsageError, match=what) as caught:
        check(wanted)
    assert caught.value.hint.endswith("--engine qemu")


def test_a_template_is_refused_and_what_was_saved_is_not() -> None:
    check(MACHINE, Start(devices="/state/web/saved/memory"))
    with pytest.raises(UsageError, match="template"):
        check(MACHINE, Start(ram="/state/templates/web/ram"))


@pytest.mark.parametrize("uri", ["qemu+ssh://host/system", "qemu:///embed?root=/x", "xen:///", "test:///default", ""])
def test_only_qemu_on_this_host_is_an_engine(uri: str) -> None:
    with pytest.raises(UsageError):
        engine.parse(f"libvirt={uri}")


def test_engine_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [engine.parse(text) for text in ("", "qemu")] == ["", ""]
    assert engine.parse("libvirt=qemu:///session?socket=/run/sock") == "qemu:///session?socket=/run/sock"
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert engine.parse("libvirt") == "qemu:///system"
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert engine.parse("libvirt") == "qemu:///session"
    for wrong in ("xen", "qemu=x", "libvirt="):
        with pytest.raises(UsageError, match="not of the form"):
            engine.parse(wrong)


def test_a_host_without_the_library_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "NAME", "no_such_library")
    with pytest.raises(HostError, match="library for Python") as caught:
        library.load()
    assert "python3-libvirt" in caught.value.hint
