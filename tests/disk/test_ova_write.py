"""Archives that we write: what tar, sha1sum, sha256sum and openssl say of them, and our own reader."""

import hashlib
import subprocess
from pathlib import Path
from typing import BinaryIO

import pytest

import ovf_samples
from jeos.core.errors import InputError, UsageError
from jeos.disk import ova, ova_write, tar_write
from jeos.disk.ovf_certificate import Signatory

DISK = bytes(range(256)) * 33  # no multiple of 512 bytes


def write_disk(file: BinaryIO) -> None:
    for start in range(0, len(DISK), 1000):
        assert file.tell() == start
        file.write(DISK[start : start + 1000])


def render(sizes: list[int]) -> bytes:
    return ovf_samples.with_file("web-disk1.vmdk", attributes=f'ovf:size="{sizes[0]}"')


def make(path: Path, *, algorithm: str = "sha256", signatory: Signatory | None = None) -> None:
    with path.open("w+b") as file:
        ova_write.write(
            file,
            name="web",
            render=lambda sizes: render(list(sizes)),
            disks=[("web-disk1.vmdk", write_disk)],
            algorithm=algorithm,
            signatory=signatory,
        )


def listed(path: Path) -> list[str]:
    done = subprocess.run(["tar", "--numeric-owner", "-tvf", path], check=True, capture_output=True, text=True)
    assert done.stderr == ""
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the paths of a key and its certificate."""
    folder = tmp_path_factory.mktemp("keys")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=Vendor -keyout {key} -out {certificate}"
    subprocess.run(command.split(), check=True, capture_output=True)
    return key, certificate


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_write_is_what_tar_and_checksum_programs_take(tmp_path: Path, algorithm: str) -> None:
    make(tmp_path / "web.ova", algorithm=algorithm)
    size = len(render([len(DISK)])) + len(str(ova_write.LARGEST_FILE)) - len(str(len(DISK)))
    manifest = hashlib.new(algorithm).digest_size * 4 + len(f"{algorithm}(web.ovf)= \n{algorithm}(web-disk1.vmdk)= \n")
    assert listed(tmp_path / "web.ova") == [
        f"-rw-r--r-- 0/0 {size} 1980-01-01 00:00 web.ovf",
        f"-rw-r--r-- 0/0 {manifest} 1980-01-01 00:00 web.mf",
        f"-rw-r--r-- 0/0 {len(DISK)} 1980-01-01 00:00 web-disk1.vmdk",
    ]
    subprocess.run(["tar", "-C", tmp_path, "-xf", tmp_path / "web.ova"], check=True)
    assert (tmp_path / "web-disk1.vmdk").read_bytes() == DISK
    done = subprocess.run([f"{algorithm}sum", "-c", "web.mf"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "web.ovf: OK\nweb-disk1.vmdk: OK\n")
    assert (tmp_path / "web.ova").stat().st_size % 10240 == 0
    assert (tmp_path / "web.ova").read_bytes()[257:265] == b"ustar\x0000"


def test_write_is_read_and_verified_by_ourselves(tmp_path: Path) -> None:
    make(tmp_path / "web.ova")
    with ova.open_package(tmp_path / "web.ova") as package:
        assert package.envelope.files[0].size == len(DISK)
        disk = package.open_disk(package.envelope.disks[0])
        assert disk is not None
        assert disk.read(0, disk.size) == DISK
        assert [one.name for one in ova.manifest(package)] == ["web.ovf", "web-disk1.vmdk"]
        assert [name for name, done, size in ova.verify(package) if done == size] == ["web.ovf", "web-disk1.vmdk"]


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_write_signature_holds_for_openssl(tmp_path: Path, pair: tuple[Path, Path], algorithm: str) -> None:
    key, certificate = pair
    signatory = Signatory(key.read_bytes(), certificate.read_bytes(), name="key.pem")
    make(tmp_path / "web.ova", algorithm=algorithm, signatory=signatory)
    names = [line.split()[-1] for line in listed(tmp_path / "web.ova")]
    assert names == ["web.ovf", "web.mf", "web.cert", "web-disk1.vmdk"]
    subprocess.run(["tar", "-C", tmp_path, "-xf", tmp_path / "web.ova"], check=True)
    head, _, pem = (tmp_path / "web.cert").read_text().partition("\n")
    assert head.startswith(f"{algorithm.upper()}(web.mf)= ")
    (tmp_path / "signature").write_bytes(bytes.fromhex(head.split("= ")[1]))
    (tmp_path / "certificate").write_text(pem)
    public = subprocess.run(
        ["openssl", "x509", "-in", "certificate", "-noout", "-pubkey"], cwd=tmp_path, check=True, capture_output=True
    )
    (tmp_path / "public").write_bytes(public.stdout)
    command = f"openssl dgst -{algorithm} -verify public -signature signature web.mf"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "Verified OK\n")
    with ova.open_package(tmp_path / "web.ova") as package:
        signer = ova.signer(package)
        assert signer is not None
        assert (signer.subject, signer.algorithm) == ("CN=Vendor", algorithm)


def test_write_twice_is_the_same(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    signatory = Signatory(pair[0].read_bytes(), pair[1].read_bytes(), name="key.pem")
    make(tmp_path / "a.ova", signatory=signatory)
    make(tmp_path / "b.ova", signatory=signatory)
    assert (tmp_path / "a.ova").read_bytes() == (tmp_path / "b.ova").read_bytes()


def test_header_of_nine_gib_is_read_by_tar(tmp_path: Path) -> None:
    with (tmp_path / "large.tar").open("wb") as file:
        file.write(tar_write.header("large", 9 << 30))
        file.truncate((9 << 30) + 512 + 10240)
    assert listed(tmp_path / "large.tar") == [f"-rw-r--r-- 0/0 {9 << 30} 1980-01-01 00:00 large"]


def test_header_of_a_long_name_is_refused() -> None:
    with pytest.raises(InputError, match="too long a name"):
        tar_write.header("n" * 101, 1)


def test_signatory_of_others_is_refused(pair: tuple[Path, Path]) -> None:
    key, certificate = pair[0].read_bytes(), pair[1].read_bytes()
    other = subprocess.run(["openssl", "genrsa", "2048"], check=True, capture_output=True).stdout
    curve = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True, capture_output=True).stdout
    with pytest.raises(UsageError, match="do not belong together"):
        Signatory(other, certificate, name="key.pem")
    with pytest.raises(InputError, match="is not an RSA key"):
        Signatory(curve, certificate, name="key.pem")
    with pytest.raises(InputError, match="cannot be read"):
        Signatory(key, b"no certificate", name="key.pem")
