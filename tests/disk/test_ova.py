"""Packages in archives and in folders: one interface, the same answers."""

import gzip
import hashlib
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ovf_samples
from jeos.core.errors import InputError, JeosError, TrustError
from jeos.disk import ova, ovf_manifest
from jeos.disk.ovf_manifest import Digest

DISK = bytes(range(256)) * 16

Keep = Callable[[dict[str, bytes]], Path]


@pytest.fixture(params=["archive", "folder", "descriptor"])
def keep(request: pytest.FixtureRequest, tmp_path: Path) -> Keep:
    """Return what puts files into an archive or a folder, and returns its path."""

    def into(files: dict[str, bytes]) -> Path:
        if request.param == "archive":
            (tmp_path / "a.ova").write_bytes(ovf_samples.archive(files))
            return tmp_path / "a.ova"
        for name, content in files.items():
            path = tmp_path / "package" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return tmp_path / "package" / ("" if request.param == "folder" else "a.ovf")

    return into


def content(package: ova.Package, name: str) -> bytes:
    blocks = package.open(name)
    return blocks.read(0, blocks.size)


def test_package_gives_its_disk_in_any_order(keep: Keep) -> None:
    path = keep({"a.vmdk": DISK, "b.txt": b"", "a.ovf": ovf_samples.with_file("a.vmdk")})
    with ova.open_package(path) as package:
        disk = package.open_disk(package.envelope.disks[0])
        assert disk is not None
        assert disk.read(100, 20) == DISK[100:120]
        assert content(package, "./a.vmdk") == DISK
        assert sorted(package.names()) == ["a.ovf", "a.vmdk", "b.txt"]
        assert package.has("b.txt")
        assert not package.has("c.txt")
        with pytest.raises(InputError, match=r"has no file 'c\.txt'"):
            package.open("c.txt")
        with pytest.raises(InputError, match="not beside it"):
            package.open("../a.ovf")
    assert ova.is_package(path)


def test_package_unpacks_gzip(keep: Keep) -> None:
    text = ovf_samples.with_file("a.vmdk", attributes='ovf:compression="gzip"')
    files = {"a.ovf": text, "a.vmdk": gzip.compress(DISK), "b.raw.gz": gzip.compress(b"more")}
    with ova.open_package(keep(files)) as package:
        assert content(package, "a.vmdk") == DISK
        assert content(package, "b.raw.gz") == b"more"


def test_package_does_not_unpack_more_than_a_disk_can_need(keep: Keep) -> None:
    text = ovf_samples.with_file("a.vmdk", attributes='ovf:compression="gzip"')  # of 4,096 bytes
    bomb = gzip.compress(bytes(80 << 20), 9)
    with ova.open_package(keep({"a.ovf": text, "a.vmdk": bomb, "b.gz": bomb})) as package:
        for name in ("a.vmdk", "b.gz"):
            with pytest.raises(InputError, match="unpacks to more than the"):
                package.open(name)


def test_package_joins_pieces(keep: Keep) -> None:
    text = ovf_samples.with_file("a.vmdk", attributes='ovf:chunkSize="4000"')
    files = {"a.ovf": text, "a.vmdk.000000000": DISK[:4000], "a.vmdk.000000001": DISK[4000:]}
    with ova.open_package(keep(files)) as package:
        assert content(package, "a.vmdk") == DISK


def test_package_finds_names_that_are_written_as_addresses(keep: Keep) -> None:
    with ova.open_package(keep({"a.ovf": ovf_samples.with_file("my%20disk.vmdk"), "my disk.vmdk": DISK})) as package:
        disk = package.open_disk(package.envelope.disks[0])
        assert disk is not None
        assert disk.size == len(DISK)
        with pytest.raises(InputError, match="not beside it"):
            package.open("%2e%2e/a.ovf")


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_verify_reads_all_and_compares(keep: Keep, algorithm: str) -> None:
    text = ovf_samples.with_file("a.vmdk")
    lines = [f"{algorithm.upper()}(a.ovf)= {hashlib.new(algorithm, text).hexdigest()}"]
    lines.append(f"{algorithm.upper()} (a.vmdk) = {hashlib.new(algorithm, DISK).hexdigest().upper()}\r\n")
    files = {"a.ovf": text, "a.mf": "\n".join(lines).encode(), "a.vmdk": DISK}
    with ova.open_package(keep(files)) as package:
        assert list(ova.verify(package)) == [("a.ovf", len(text), len(text)), ("a.vmdk", 4096, 4096)]
    wrong = pytest.raises(TrustError, match=rf"a\.vmdk does not have the {algorithm.upper()}")
    with ova.open_package(keep(files | {"a.vmdk": DISK[:-1] + b"x"})) as package, wrong:
        list(ova.verify(package))


def test_verify_missing_file_is_refused(keep: Keep) -> None:
    files = {"a.ovf": ovf_samples.smallest(), "other.mf": b"SHA1(b.vmdk)= " + b"0" * 40}
    with ova.open_package(keep(files)) as package, pytest.raises(InputError, match=r"names 'b\.vmdk'"):
        list(ova.verify(package))


def test_verify_without_manifest_has_nothing_to_say(keep: Keep) -> None:
    with ova.open_package(keep({"a.ovf": ovf_samples.smallest()})) as package:
        assert (list(ova.verify(package)), ova.signer(package)) == ([], None)


def test_signer_is_who_openssl_signed_for(keep: Keep, tmp_path: Path) -> None:
    key, certificate, manifest = tmp_path / "key.pem", tmp_path / "cert.pem", tmp_path / "manifest"
    manifest.write_text("SHA256(a.ovf)= " + "0" * 64 + "\n")
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=Vendor -keyout {key} -out {certificate}".split(),
        check=True,
        capture_output=True,
    )
    made = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key, manifest], check=True, capture_output=True)
    text = f"SHA256(a.mf)= {made.stdout.hex()}\n{certificate.read_text()}".encode()
    files = {"a.ovf": ovf_samples.smallest(), "a.mf": manifest.read_bytes(), "a.cert": text}
    with ova.open_package(keep(files)) as package:
        found = ova.signer(package)
        assert found is not None
        assert (found.subject, found.algorithm) == ("CN=Vendor", "sha256")
    wrong = pytest.raises(TrustError, match="by CN=Vendor does not hold")
    with ova.open_package(keep(files | {"a.mf": manifest.read_bytes() + b"\n"})) as package, wrong:
        ova.signer(package)
    for bad in (b"", b"SHA256(a.mf)= 00\n", text.replace(b"MII", b"!!!"), b"x" * 2000):
        with ova.open_package(keep(files | {"a.cert": bad})) as package, pytest.raises(InputError, match=r"a\.cert"):
            ova.signer(package)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.txt": b""}, "no file whose name ends in .ovf"),
        ({"a.ovf": b"", "b.ovf": b""}, "2 files whose name"),
        ({"a.ovf": b"x" * (9 << 20)}, "bytes long"),
    ],
)
def test_package_without_one_descriptor_is_refused(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    (tmp_path / "a.ova").write_bytes(ovf_samples.archive(files))
    with pytest.raises(InputError, match=message):
        ova.open_package(tmp_path / "a.ova")


def test_open_package_of_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.img").write_bytes(bytes(4096))
    assert not ova.is_package(tmp_path / "a.img")
    assert not ova.is_package(tmp_path / "none")
    with pytest.raises(InputError, match="no tar archive"):
        ova.open_package(tmp_path / "a.img")


def test_folder_does_not_follow_links_out(tmp_path: Path) -> None:
    folder = tmp_path / "package"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "a.ovf").write_bytes(ovf_samples.with_file("a.vmdk"))
    (folder / "a.vmdk").symlink_to(tmp_path / "secret")
    with ova.open_package(folder) as package, pytest.raises(InputError, match="has no file"):
        package.open("a.vmdk")


def test_descriptor_in_a_folder_of_the_archive_finds_what_is_beside_it(tmp_path: Path) -> None:
    files = {"m/a.ovf": ovf_samples.with_file("a.vmdk"), "m/a.vmdk": DISK, "m/a.mf": b"SHA1(a.vmdk)= " + b"0" * 40}
    (tmp_path / "a.ova").write_bytes(ovf_samples.archive(files, form=tarfile.GNU_FORMAT))
    with ova.open_package(tmp_path / "a.ova") as package:
        assert content(package, "a.vmdk") == DISK
        assert package.names() == ("a.ovf", "a.vmdk", "a.mf")
        with pytest.raises(TrustError, match="does not have the SHA1"):
            list(ova.verify(package))


@pytest.mark.parametrize("text", ["SHA1(a)= 00", "MD5(a)= " + "0" * 32, "hello", ("SHA1(a)= " + "0" * 40 + "\n") * 2])
def test_manifest_damaged_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"a\.mf, line"):
        ovf_manifest.parse(text.encode(), source="a.mf")


@settings(deadline=None)
@given(st.from_regex(r"[^\s()]([^\n\r()]{0,60}[^\s()])?", fullmatch=True), st.sampled_from(list(ovf_manifest.LENGTHS)))
def test_manifest_line_comes_back(name: str, algorithm: str) -> None:
    if len((name + "x").splitlines()) > 1:
        return
    digest = Digest(name=name, algorithm=algorithm, value="ab" * (ovf_manifest.LENGTHS[algorithm] // 2))
    assert ovf_manifest.parse(ovf_manifest.line(digest).encode(), source="a.mf") == (digest,)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_manifest_of_anything_is_read_or_refused(text: bytes) -> None:
    try:
        ovf_manifest.parse(text, source="a.mf")
    except JeosError as error:
        assert "a.mf" in error.message
