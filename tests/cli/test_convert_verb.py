"""`jeos convert`: what it takes, prints and writes."""

import json
from pathlib import Path

import pytest

from jeos.cli import convert as verb
from jeos.cli import main
from jeos.core.errors import MachineError, UsageError
from jeos.core.run import run
from jeos.model.machine import Machine
from jeos.vm import first_start
from jeos.vm.first_start import Outcome
from small_machine import make_disk

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_disk(tmp_path_factory.mktemp("machine"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep notes of where conversions worked out of the user's own cache."""
    monkeypatch.setenv("JEOS_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


def done(*argv: str | Path, status: int = 0) -> None:
    assert main.main(["convert", *(str(word) for word in argv)]) == status


def test_report_for_people(
    disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done(disk, "--resize", "100M", "--keep-network")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["disk: Debian GNU/Linux 12 (bookworm)", "  mended"]
    assert "    file systems by UUID in /etc/fstab" in lines
    assert "    - the disk has 100 MiB now" in lines
    assert lines[-2:] == ["  disk           disk.qcow2", "  run it with    jeos run disk.qcow2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "disk.convert.json",
        "disk.machine.json",
        "disk.qcow2",
    ]
    shown = json.loads(run(["qemu-img", "info", "--output=json", tmp_path / "disk.qcow2"]).stdout)
    assert shown["virtual-size"] == 100 * MEBIBYTE


def test_dry_run_says_what_it_would_do(disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done(disk, "--dry-run", "-o", tmp_path / "x.qcow2")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "  would be mended"
    assert not any(line.startswith("  disk ") for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_report_for_programs(disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.vmdk"
    done(disk, "-o", path, "--json")
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "x.convert.json").read_text())
    assert (printed["disks"], printed["boot_test"]) == ([str(path)], None)
    assert run(["qemu-img", "info", path]).text.splitlines()[1] == "file format: vmdk"


@pytest.mark.parametrize(
    ("argv", "path", "form"),
    [
        ((), "a-b-c.qcow2", "qcow2"),
        (("--to", "raw"), "a-b-c.img", "raw"),
        (("--to", "vhdx"), "a-b-c.vhdx", "vhdx"),
        (("-o", "x/y.VDI"), "x/y.VDI", "vdi"),
        (("-o", "x.img"), "x.img", "raw"),
        (("-o", "/dev/x"), "/dev/x", "qcow2"),
        (("-o", "x.img", "--to", "vmdk"), "x.img", "vmdk"),
    ],
)
def test_names_and_formats(argv: tuple[str, ...], path: str, form: str) -> None:
    args = main.parse(["convert", "source", *argv])
    request = verb.request_of(args, name="a b/c")
    assert (str(request.path), request.format) == (path, form)


@pytest.mark.parametrize(
    ("argv", "hosts"),
    [
        ((), ("virtio",)),
        (("--to", "raw"), ("virtio",)),
        (("--to", "vmdk"), ("vmware",)),
        (("-o", "x.vhd"), ("hyperv",)),
        (("-o", "x.vhdx"), ("hyperv",)),
        (("-o", "x.vdi"), ("virtualbox",)),
        (("-o", "x.vdi", "--for", "virtio"), ("virtio",)),
        (("--for", "VMware, virtio,vmware"), ("vmware", "virtio")),
    ],
)
def test_the_format_says_where_the_machine_goes(argv: tuple[str, ...], hosts: tuple[str, ...]) -> None:
    request = verb.request_of(main.parse(["convert", "source", *argv]), name="a")
    assert request.options.hosts == hosts


def test_unknown_homes_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.parse(["convert", "source", "--for", "virtio,bochs"])
    assert "'bochs' is none of virtio, vmware, hyperv, virtualbox, xen" in capsys.readouterr().err


def test_how_to_run_it_is_said_where_it_can_be(disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done(disk, "-o", tmp_path / "x.vmdk")
    assert "run it with" not in capsys.readouterr().out
    done(disk, "-o", tmp_path / "y.qcow2", "--for", "vmware")
    assert "run it with" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--to", "vhd"], "not vhd"),
        (["-o", "a.img", "--to", "qcow2"], "a.img"),
        (["--for", "vmware"], "this one would be made for vmware"),
    ],
)
def test_boot_test_needs_what_can_be_run(argv: list[str], said: str, disk: Path) -> None:
    args = main.parse(["convert", str(disk), "--boot-test", *argv])
    with pytest.raises(UsageError, match=said):
        verb.run(args)


@pytest.mark.parametrize(("reached", "status"), [("login", 0), ("", MachineError.exit_code)])
def test_boot_test_is_reported(
    reached: str,
    status: int,
    disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """How a first start goes is the business of its own tests, and of those of whole machines."""
    seen: list[Machine] = []

    def watch(machine: Machine, *, within: float) -> Outcome:
        seen.append(machine)
        reason = "" if reached else "its kernel panics: no init"
        return Outcome(reached, reason, "shop login: ", screenshot=b"\x89PNG", seconds=within, accelerator="tcg")

    monkeypatch.setattr(first_start, "watch", watch)
    path = tmp_path / "x.qcow2"
    done(disk, "-o", path, "--boot-test", "--timeout", "5m", "--port", "22", status=status)
    printed = capsys.readouterr().out
    came = "up (login)" if reached else "not up: its kernel panics: no init"
    assert f"  boot test      {came} after 300 s (tcg)" in printed.splitlines()
    assert [(machine.disk, machine.forwards[0].guest) for machine in seen] == [(str(path), 22)]
    report = json.loads((tmp_path / "x.convert.json").read_text())
    assert report["boot_test"] == {
        "reached": reached,
        "reason": "" if reached else "its kernel panics: no init",
        "seconds": 300.0,
        "accelerator": "tcg",
        "console": "shop login: ",
        "screen": "",
        "screenshot": "x.png",
    }
    assert (tmp_path / "x.png").read_bytes() == b"\x89PNG"
