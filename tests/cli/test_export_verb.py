"""`jeos export`: what it takes, what it writes where, and what it refuses."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import export_disks
from jeos.build import outputs
from jeos.cli import main
from jeos.disk import ova
from jeos.model import tree_text
from jeos.model.image import Image, Port
from jeos.model.recipe import Property
from jeos.model.tree import Entry, Kind, Tree

IMAGE = Image(
    name="web",
    version="1.0",
    vendor="Example",
    architecture="amd64",
    disk="web_1.0.img",
    kernel="web_1.0.efi",
    sbom="web_1.0.cdx.json",
    tree="web_1.0.tree.jsonl",
    report="web_1.0.report.json",
    root_hash="ab" * 32,
    disk_size=export_disks.SIZE,
    system_size=4096,
    verity_size=4096,
    kernel_size=1,
    partitions=(),
    ports=(Port(guest=80, name="web"),),
    memory=256,
    cpus=2,
    properties=(Property("title", default="Hello"),),
)
MODULES = ("scsi/vmw_pvscsi.ko", "net/vmxnet3/vmxnet3.ko.xz")


def build(folder: Path, image: Image = IMAGE, *, modules: tuple[str, ...] = MODULES) -> Path:
    """Write what a build leaves, as far as exporting reads it; return the recipe's folder."""
    (folder / "build").mkdir(parents=True)
    (folder / "appliance.toml").write_text('name = "web"\nversion = "1.0"\n')
    export_disks.write(folder / "build" / image.disk)
    entries = [
        Entry(path=f"usr/lib/modules/6.1/kernel/drivers/{name}", kind=Kind.FILE, digest="a" * 64) for name in modules
    ]
    (folder / "build" / image.tree).write_text(tree_text.dump(Tree.of(entries)))
    (folder / "build/web_1.0.json").write_text(outputs.dump_image(image))
    if image.eula:
        (folder / "build" / image.eula).write_text("Be kind.\n")
    return folder


def jeos(*words: str | Path) -> int:
    return main.main([str(word) for word in words])


def test_export_of_a_recipe_is_an_ova_beside_the_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = build(tmp_path, replace(IMAGE, eula="web_1.0.eula.txt"))
    assert jeos("export", folder, "--to", "ova") == 0
    printed = capsys.readouterr()
    path = folder / "build/web_1.0.ova"
    assert printed.out == f"{path}\n"
    assert "warning" not in printed.err
    with ova.open_package(path) as package:
        (system,) = package.envelope.systems
        assert (system.name, system.memory, system.cpus, system.annotation) == ("web", 256, 2, "Port 80/tcp: web")
        assert [(one.key, one.value) for one in system.properties] == [("title", "Hello")]
        assert (system.eulas, system.nics[0].model) == (("Be kind.",), "VmxNet3")
        assert list(ova.verify(package))


def test_export_warns_of_drivers_that_the_image_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = build(tmp_path, modules=("scsi/vmw_pvscsi.ko",))
    assert jeos("export", folder / "build/web_1.0.json", "--to", "ova", "--fast", "--json") == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert (told["target"], told["path"]) == ("ova", str(folder / "build/web_1.0.ova"))
    assert told["size"] == (folder / "build/web_1.0.ova").stat().st_size
    assert "its kernel lacks vmxnet3:" in told["warnings"][0]
    assert f"warning: {told['warnings'][0]}" in printed.err


def test_export_of_a_foreign_disk_goes_there_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = export_disks.write(tmp_path / "old.img")
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", "old.img", "old.qcow2"], cwd=tmp_path, check=True)
    (tmp_path / "old.img").unlink()
    assert jeos("export", tmp_path / "old.qcow2", "--to", "ova", "--manifest", "sha1", "--small") == 0
    with ova.open_package(tmp_path / "old.ova") as package:
        assert package.envelope.systems[0].nics[0].model == "E1000"
        assert {one.algorithm for one in ova.manifest(package)} == {"sha1"}
    assert jeos("export", tmp_path / "old.ova", "--to", "raw", "-o", tmp_path / "again.raw") == 0
    assert (tmp_path / "again.raw").read_bytes() == content
    assert capsys.readouterr().out == f"{tmp_path / 'old.ova'}\n{tmp_path / 'again.raw'}\n"


def test_export_of_a_damaged_ova_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = build(tmp_path)
    assert jeos("export", folder, "--to", "ova", "-o", tmp_path / "web.ova") == 0
    capsys.readouterr()
    assert jeos("export", tmp_path / "web.ova", "--to", "raw", "-o", tmp_path / "web.raw") == 0
    assert "verify       2 files as the manifest says" in capsys.readouterr().err
    content = bytearray((tmp_path / "web.ova").read_bytes())
    content[-20_000] ^= 1
    (tmp_path / "web.ova").write_bytes(content)
    assert jeos("export", tmp_path / "web.ova", "--to", "raw", "-o", tmp_path / "again.raw") == 6
    assert "does not have the SHA256 that the manifest gives" in capsys.readouterr().err
    assert not (tmp_path / "again.raw").exists()


def test_export_signs_with_a_key(tmp_path: Path) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=Vendor -keyout key.pem -out certificate.pem"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    folder = build(tmp_path / "web")
    keys = ("--key", tmp_path / "key.pem", "--certificate", tmp_path / "certificate.pem")
    assert jeos("export", folder, "--to", "ova", *keys) == 0
    with ova.open_package(folder / "build/web_1.0.ova") as package:
        signer = ova.signer(package)
        assert signer is not None
        assert signer.subject == "CN=Vendor"


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--to", "ovaa"], 2, "there is no target ovaa\nhint: did you mean ova? there are: "),
        (["--to", "ova", "--key", "k.pem"], 2, "--key and --certificate go together\n"),
        (["--to", "ova", "--key", "none.pem", "--certificate", "none.pem"], 3, "none.pem cannot be read: "),
        (["--to", "raw", "-o", "build/web_1.0.json"], 2, "build/web_1.0.json is there already\nhint: --force"),
        (
            ["--to", "raw", "-o", "build/web_1.0.img", "--force"],
            2,
            "build/web_1.0.img is what the new file is made of\n",
        ),
    ],
)
def test_export_of_what_cannot_be_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    status: int,
    message: str,
) -> None:
    monkeypatch.chdir(build(tmp_path))
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert jeos("export", *words) == status
    assert f"error: {message}" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_export_of_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert jeos("export", tmp_path / "none.img", "--to", "raw") == 2
    assert f"error: {tmp_path / 'none.img'} is not there\n" in capsys.readouterr().err
    folder = build(tmp_path / "web")
    (folder / "build/web_1.0.json").unlink()
    assert jeos("export", folder, "--to", "raw") == 3
    assert "has not been built yet" in capsys.readouterr().err
