"""What `jeos doctor` concludes from what was seen of a host."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from jeos.build import host, host_facts, host_trial
from jeos.build.host import CHECKS, PROGRAMS, Facts, Finding, Problem, Room, State
from jeos.core.run import find_program

GIB = 1 << 30
GOOD = Facts(
    system="Debian GNU/Linux 13 (trixie)",
    families=("debian",),
    kernel="6.12.0",
    architecture="x86_64",
    python=(3, 13),
    cores=4,
    memory=8 * GIB,
    root=False,
    programs=frozenset({*(program.name for program in PROGRAMS), "newuidmap", "newgidmap"}),
    ids=None,
    apparmor=False,
    namespace=None,
    mirror="JEOS_MIRROR",
    keyring="/usr/share/keyrings/debian-archive-keyring.pgp",
    cache=Room("/home/user/.cache/jeos", "ext4", 50 * GIB),
    work=Room("/dev/shm/jeos-1000", "tmpfs", 4 * GIB),
    accelerator="kvm",
    acceleration="/dev/kvm runs code at the processor's speed",
    paging="nested",
    iommu_groups=12,
    huge_pages="madvise",
    vhost=frozenset({"vhost-net", "vhost-vsock"}),
    passable=("0000:03:00.0 (group 8)",),
    firmware="/usr/share/OVMF/OVMF_CODE_4M.fd",
    quick_firmware=True,
    passt="",
    router="",
    fences=(),
)


def but(**changes: object) -> tuple[Finding, ...]:
    return host.judge(dataclasses.replace(GOOD, **changes))  # type: ignore[arg-type]


def without(*programs: str) -> frozenset[str]:
    return GOOD.programs - set(programs)


def test_good_host_is_ready_and_needs_nothing() -> None:
    findings = host.judge(GOOD)
    assert host.ready(findings)
    assert {finding.state for finding in findings} == {State.OK}
    assert {finding.mend for finding in findings} == {""}
    assert [finding.task for finding in findings] == ["host"] * 4 + ["build"] * 7 + ["run"] * 9 + [
        "convert",
        "sign",
        "test",
    ]


NEEDED = {
    "architecture": ({"architecture": "aarch64"}, "use a machine with x86_64: images are made for it"),
    "python": ({"python": (3, 9)}, "use Python 3.11 or later"),
    "room": (
        {"cache": Room("/c", "ext4", GIB - 1)},
        "jeos store gc, or set JEOS_CACHE_DIR to a folder on a larger disk",
    ),
    "build programs": ({"programs": without("gpgv", "dpkg-deb")}, "sudo apt-get install gpgv dpkg"),
    "run programs": ({"programs": without("qemu-img")}, "sudo apt-get install qemu-utils"),
    "id programs": ({"programs": without("newuidmap")}, "sudo apt-get install uidmap"),
    "ids": ({"ids": Problem("no range", "add one")}, "add one"),
    "namespace": ({"namespace": Problem("not allowed", "allow it")}, "allow it"),
    "mirror": (
        {"mirror": ""},
        "export JEOS_MIRROR=https://mirror.example/debian, or set `mirror` in each recipe",
    ),
    "keys": ({"keyring": ""}, "sudo apt-get install debian-archive-keyring, or set `keyring` in each recipe"),
    "work": ({"work": Room("/w", "tmpfs", 0)}, "set JEOS_TMPDIR to a folder with more room"),
}


@pytest.mark.parametrize(("changes", "mend"), NEEDED.values(), ids=NEEDED)
def test_host_that_lacks_something_needed(changes: dict[str, object], mend: str) -> None:
    findings = but(**changes)
    wrong = [finding for finding in findings if finding.state is not State.OK]
    assert [(finding.state, finding.mend) for finding in wrong] == [(State.MISSING, mend)]
    assert not host.ready(findings)


NOTED: dict[str, dict[str, object]] = {
    "memory": {"memory": GIB},
    "room": {"cache": Room("/c", "ext4", 2 * GIB)},
    "work on disk": {"work": Room("/w", "ext4", 20 * GIB)},
    "emulation": {"accelerator": "tcg", "acceleration": "there is no /dev/kvm"},
    "shadow paging": {"paging": "shadow"},
    "no iommu": {"iommu_groups": 0},
    "no huge pages": {"huge_pages": "never"},
    "a kernel without huge pages": {"huge_pages": ""},
    "no vsock": {"vhost": frozenset({"vhost-net"})},
    "no vhost": {"vhost": frozenset()},
    "firmware": {"firmware": ""},
    "no qboot": {"quick_firmware": False},
    "passt": {"passt": "passt is not installed"},
    "router": {"router": "slirp4netns is not installed"},
    "tun": {"router": "/dev/net/tun cannot be opened"},
    "lz4": {"programs": without("lz4")},
    "signing": {"programs": without("sbsign", "openssl")},
    "testing": {"programs": without("sgdisk")},
}


@pytest.mark.parametrize("changes", NOTED.values(), ids=NOTED)
def test_host_that_could_be_better(changes: dict[str, object]) -> None:
    findings = but(**changes)
    wrong = [finding for finding in findings if finding.state is not State.OK]
    assert [finding.state for finding in wrong] == [State.NOTE]
    assert wrong[0].mend
    assert host.ready(findings)


def test_iommu_tells_which_devices_wait_for_machines() -> None:
    (found,) = [one for one in but() if one.name == "iommu"]
    assert found.value == "12 groups of devices; for machines: 0000:03:00.0 (group 8)"


def test_root_needs_no_ids() -> None:
    assert host.ready(but(root=True, ids=Problem("no range", "add one"), programs=without("newuidmap", "newgidmap")))


def test_sandbox_that_fails_for_lack_of_ids_is_not_explained_twice() -> None:
    problem = Problem("no range", "add one")
    wrong = [one for one in but(ids=problem, namespace=problem) if one.state is not State.OK]
    assert [(one.name, one.mend) for one in wrong] == [("ids", "add one"), ("sandbox", "")]


def test_needed_and_other_programs_are_told_together() -> None:
    (wrong,) = [one for one in but(programs=without("qemu-img", "lz4")) if one.state is not State.OK]
    assert wrong == Finding(
        "run", "programs", State.MISSING, "not installed: qemu-img lz4", "sudo apt-get install qemu-utils lz4"
    )


def test_other_distributions_get_no_apt_command() -> None:
    (wrong,) = [one for one in but(families=("fedora",), programs=without("gpgv")) if one.state is not State.OK]
    assert wrong.mend == "install what Debian calls gpgv"


def test_apparmor_is_mentioned_where_it_could_matter() -> None:
    restricted = " (although AppArmor restricts user namespaces)"
    assert [one.value for one in but(apparmor=True) if one.name == "sandbox"] == [
        f"namespaces and overlayfs work{restricted}"
    ]
    assert [one.value for one in but(apparmor=True, root=True) if one.name == "sandbox"] == [
        "namespaces and overlayfs work"
    ]


def test_every_check_has_a_place_of_its_own() -> None:
    places = [(finding.task, finding.name) for finding in host.judge(GOOD)]
    assert len(set(places)) == len(CHECKS)


def test_room_finds_the_file_system(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    (tmp_path / "with blank").mkdir()
    lines = [
        "/dev/a / ext4 rw 0 0",
        f"none {tmp_path} xfs rw 0 0",
        f"none {tmp_path}/with\\040blank tmpfs rw 0 0",
        f"none {tmp_path}/with nfs rw 0 0",
    ]
    mounts.write_text("\n".join(lines) + "\n")
    assert host_facts.room(tmp_path / "with blank" / "not" / "there", mounts=mounts).file_system == "tmpfs"
    assert host_facts.room(tmp_path / "other", mounts=mounts).file_system == "xfs"
    assert host_facts.room(Path("/nowhere"), mounts=mounts).file_system == "ext4"
    assert host_facts.room(tmp_path, mounts=mounts).free > 0


def test_room_agrees_with_stat(tmp_path: Path) -> None:
    """coreutils' `stat -f` asks the kernel for the same by another way."""
    for folder in (tmp_path, Path("/proc"), Path("/dev/shm")):
        said = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True).stdout
        assert host_facts.room(folder).file_system[:3] == said[:3]


def test_facts_of_this_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JEOS_TMPDIR", str(tmp_path / "work"))
    monkeypatch.setenv("JEOS_MIRROR", "https://mirror.example/debian")
    facts = host_facts.gather()
    assert facts.mirror == "JEOS_MIRROR"
    assert "mirror.example" not in repr(facts)
    assert facts.work.folder == str(tmp_path / "work")
    assert ("gpgv" in facts.programs) == Path("/usr/bin/gpgv").exists()
    assert facts.accelerator in ("kvm", "tcg")
    assert list((tmp_path / "work").glob("*")) == []


def test_trial_says_what_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Overlayfs cannot lie on procfs: a real failure, in the trial's own process."""
    monkeypatch.setenv("JEOS_TMPDIR", "/proc/sys")
    problem = host_facts._namespace()
    assert problem is not None
    assert problem.message
    assert problem.mend


def test_trial_in_a_namespace_with_too_few_ids() -> None:
    done = subprocess.run(
        [find_program("unshare"), "--user", "--map-root-user", sys.executable, "-m", host_trial.__name__],
        capture_output=True,
        text=True,
        env=host_facts._environment(),
    )
    if done.stderr.startswith("unshare:"):
        pytest.skip("this host has no user namespaces")
    assert json.loads(done.stdout)["message"].startswith("this namespace has fewer than 65536 ids")
