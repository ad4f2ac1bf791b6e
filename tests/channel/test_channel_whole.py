"""Whole images for systemd-sysupdate: the files, their list, its signature; and the real systemd-sysupdate."""

import hashlib
import lzma
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import channel_builds
from jeos.build.outputs import Outputs, find
from jeos.channel import built, whole
from jeos.channel.folder import FolderBackend
from jeos.channel.serve import serving
from jeos.core.errors import InputError, ProcessError
from jeos.disk import gpt, verity
from jeos.disk.erofs_reader import Filesystem
from jeos.model.image import LABEL_EMPTY, TYPE_ROOT, TYPE_ROOT_VERITY
from jeos.model.tree import Kind
from jeos_command import make_jeos, write_recipe

FILES = {"usr/bin/app": os.urandom(200_000), "etc/motd": b"hello"}


@pytest.fixture
def made(tmp_path: Path) -> Outputs:
    return channel_builds.build(tmp_path / "build", version="1.1", contents=FILES)


def put(made: Outputs, folder: Path, *, gpg_key: str = "") -> FolderBackend:
    backend = FolderBackend(folder)
    whole.put(backend, built.check(made.image, folder=made.folder), work=made.folder)
    whole.update_sums(backend, offered=offered(made), gpg_key=gpg_key)
    return backend


def offered(made: Outputs) -> tuple[str, ...]:
    return whole.names("hello", made.image.version, root_hash=made.image.root_hash)


def slots(disk: Path, *, size: int, hashes_size: int) -> dict[str, tuple[str, bytes, bytes]]:
    """Return what is in each slot, by label: the UUID of the system, its bytes, and those of its hashes."""
    found = {}
    with disk.open("rb") as file:
        table = gpt.read(file).partitions
        for system in (one for one in table if one.type == TYPE_ROOT):
            hashes = next(one for one in table if one.type == TYPE_ROOT_VERITY and one.number == system.number + 1)
            file.seek(system.start)
            data = file.read(size)
            file.seek(hashes.start)
            found[system.label] = (system.uuid, data, file.read(hashes_size))
    return found


def test_put_writes_what_sha256sum_finds_to_be_right(made: Outputs, tmp_path: Path) -> None:
    put(made, tmp_path / "channel")
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path / "channel", capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count(": OK") == 3


def test_put_writes_the_slot_and_the_kernel_image(made: Outputs, tmp_path: Path) -> None:
    backend = put(made, tmp_path / "channel")
    system, hashes = tmp_path / "system", tmp_path / "hashes"
    for name in whole.read_sums(backend.get("SHA256SUMS").decode()):
        if ".root.xz" in name:
            system.write_bytes(lzma.decompress(backend.get(name)))
            assert made.image.partitions[1].uuid in name
        elif ".root-verity.xz" in name:
            hashes.write_bytes(lzma.decompress(backend.get(name)))
            assert made.image.partitions[2].uuid in name
        else:
            assert backend.get(name) == made.kernel.read_bytes()
    verity.verify(system, hashes, root_hash=made.image.root_hash)


def test_put_again_writes_nothing(made: Outputs, tmp_path: Path) -> None:
    put(made, tmp_path / "channel")
    before = {path.name: path.stat().st_ino for path in (tmp_path / "channel").iterdir()}
    put(made, tmp_path / "channel")
    assert {path.name: path.stat().st_ino for path in (tmp_path / "channel").iterdir()} == before


def test_put_refuses_another_build_of_a_version_that_was_cut_off(made: Outputs, tmp_path: Path) -> None:
    put(made, tmp_path / "channel")
    other = channel_builds.build(tmp_path / "other", version="1.1", contents={"etc/motd": b"other"})
    with pytest.raises(InputError, match=r"has another hello_1\.1\.efi"):
        put(other, tmp_path / "channel")


def test_sums_list_only_what_is_offered(made: Outputs, tmp_path: Path) -> None:
    backend = put(made, tmp_path / "channel")
    whole.update_sums(backend, offered=[], gpg_key="")
    assert backend.get("SHA256SUMS") == b""
    whole.update_sums(backend, offered=offered(made), gpg_key="")
    assert len(whole.read_sums(backend.get("SHA256SUMS").decode())) == 3


@pytest.fixture
def gpg_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    subprocess.run(
        ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", "vendor@appliance.example", "ed25519", "sign"],
        check=True,
        capture_output=True,
    )
    yield "vendor@appliance.example"
    subprocess.run(["gpgconf", "--kill", "all"], check=True)  # or its agent stays


def test_sums_are_signed_so_that_gpgv_agrees(made: Outputs, tmp_path: Path, gpg_key: str) -> None:
    put(made, tmp_path / "channel", gpg_key=gpg_key)
    keyring = tmp_path / "keyring.gpg"
    subprocess.run(["gpg", "--export", "--output", str(keyring)], check=True)
    command = ["gpgv", "--keyring", str(keyring), "SHA256SUMS.gpg", "SHA256SUMS"]
    assert subprocess.run(command, cwd=tmp_path / "channel", capture_output=True).returncode == 0


def test_sums_that_were_signed_are_not_left_unsigned(made: Outputs, tmp_path: Path, gpg_key: str) -> None:
    backend = put(made, tmp_path / "channel", gpg_key=gpg_key)
    before = backend.get("SHA256SUMS")
    with pytest.raises(InputError, match="is signed and has to change"):
        whole.update_sums(backend, offered=[], gpg_key="")
    with pytest.raises(ProcessError, match="gpg failed"):
        whole.update_sums(backend, offered=[], gpg_key="nobody@appliance.example")
    assert backend.get("SHA256SUMS") == before
    whole.update_sums(backend, offered=offered(made), gpg_key="")  # nothing changes, so no key is needed


@given(st.dictionaries(st.from_regex(r"[A-Za-z0-9._~+^-]{1,40}", fullmatch=True), st.binary(min_size=32, max_size=32)))
@settings(max_examples=50)
def test_sums_can_be_read_again(found: dict[str, bytes]) -> None:
    sums = {name: digest.hex() for name, digest in found.items()}
    assert whole.read_sums(whole.dump_sums(sums)) == sums


@given(st.text())
@settings(max_examples=100)
def test_sums_of_any_text_are_read_or_refused(text: str) -> None:
    try:
        found = whole.read_sums(text)
    except InputError:
        return
    assert all(len(digest) == 64 for digest in found.values())


def transfers(address: str) -> dict[str, str]:
    """Return the transfer files that docs/how-to/sysupdate.md shows, for the appliance and channel of the tests."""
    text = Path(__file__).parents[2].joinpath("docs/how-to/sysupdate.md").read_text()
    found = {}
    for part in text.split("`/usr/lib/sysupdate.d/")[1:]:
        name, _, rest = part.partition("`")
        body = rest.partition("```ini\n")[2].partition("```")[0]
        assert "https://updates.example/hello" in body or "[Source]" not in body
        found[name] = body.replace("https://updates.example/hello", address)
    assert len(found) == 3
    return found


@pytest.fixture(scope="module")
def sysupdate_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with Debian 13 and systemd-sysupdate in it, made by jeos itself."""
    folder = tmp_path_factory.mktemp("sysupdate")
    jeos = make_jeos(folder / "jeos")
    recipe = write_recipe(folder / "recipe", 'packages = ["systemd-container", "gpg"]\n')
    jeos.run("build", recipe)
    root = folder / "root"
    outputs = find(recipe)
    with outputs.disk.open("rb") as file:
        filesystem = Filesystem(file, offset=outputs.image.partitions[1].start)
        for entry in filesystem.tree():
            path = root / entry.path
            if entry.kind is Kind.DIRECTORY:
                path.mkdir()
            elif entry.hardlink:
                os.link(root / entry.hardlink, path)
            elif entry.kind is Kind.SYMLINK:
                path.symlink_to(entry.target)
            elif entry.kind is Kind.FILE:
                path.write_bytes(filesystem.read(entry.path))
                path.chmod(entry.mode)
    return root


@pytest.mark.root
@pytest.mark.network
def test_real_sysupdate_fills_the_other_slot(made: Outputs, tmp_path: Path, gpg_key: str, sysupdate_root: Path) -> None:
    old = channel_builds.build(tmp_path / "old", version="1.0", contents=FILES)
    disk = sysupdate_root / "disk.img"
    disk.write_bytes(old.disk.read_bytes())
    kernels = sysupdate_root / "boot/EFI/Linux"
    kernels.mkdir(parents=True)
    (kernels / "hello_1.0.efi").write_bytes(old.kernel.read_bytes())
    subprocess.run(["gpg", "--export", "--output", str(sysupdate_root / "etc/systemd/import-pubring.gpg")], check=True)
    put(made, tmp_path / "channel", gpg_key=gpg_key)
    with serving(tmp_path / "channel") as address:
        definitions = sysupdate_root / "etc/sysupdate.d"
        definitions.mkdir(parents=True, exist_ok=True)
        for name, text in transfers(address).items():
            (definitions / name).write_text(
                text.replace("Path=auto", "Path=/disk.img")
                .replace("PathRelativeTo=boot\n", "")
                .replace("Path=/EFI", "Path=/boot/EFI")
            )
        script = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'
        command = ["unshare", "--mount", "sh", "-c", script, str(sysupdate_root)]
        done = subprocess.run(
            [*command, "/usr/lib/systemd/systemd-sysupdate", "update"], capture_output=True, text=True, timeout=120
        )
    assert done.returncode == 0, done.stdout + done.stderr
    image = made.image
    found = slots(disk, size=image.system_size, hashes_size=image.verity_size)
    wanted = slots(made.disk, size=image.system_size, hashes_size=image.verity_size)
    before = slots(old.disk, size=old.image.system_size, hashes_size=old.image.verity_size)
    assert found["hello_1.1"] == wanted["hello_1.1"]
    assert found["hello_1.0"][1][: old.image.system_size] == before["hello_1.0"][1]
    assert LABEL_EMPTY not in found
    new = next(path for path in kernels.iterdir() if path.name.startswith("hello_1.1+3"))
    assert hashlib.sha256(new.read_bytes()).digest() == hashlib.sha256(made.kernel.read_bytes()).digest()
