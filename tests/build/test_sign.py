import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from jeos.build.sign import sign
from jeos.core.errors import InputError
from jeos.disk import uki
from jeos.model.recipe import SecureBoot
from pe_files import stub

pytestmark = pytest.mark.skipif(shutil.which("sbsign") is None, reason="sbsigntool is not installed")

DATE = 1_731_628_801  # 2024-11-15 00:00:01 UTC


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> SecureBoot:
    folder = tmp_path_factory.mktemp("keys")
    made = SecureBoot(key=str(folder / "key.pem"), certificate=str(folder / "certificate.pem"))
    argv = ["openssl", "req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=jeos test/"]
    subprocess.run([*argv, "-keyout", made.key, "-out", made.certificate], check=True, capture_output=True)
    return made


@pytest.fixture
def program(tmp_path: Path) -> Path:
    out = io.BytesIO()
    uki.write(out, stub=stub(), sections={".linux": b"kernel" * 5000, ".initrd": b"initrd" * 777})
    path = tmp_path / "hello.efi"
    path.write_bytes(out.getvalue())
    return path


def verify(path: Path, keys: SecureBoot) -> bool:
    return subprocess.run(["sbverify", "--cert", keys.certificate, path], capture_output=True).returncode == 0


def test_sign_passes_sbverify_and_keeps_the_sections(program: Path, keys: SecureBoot, tmp_path: Path) -> None:
    signed = tmp_path / "signed.efi"
    assert not verify(program, keys)
    sign(program, keys=keys, date=DATE, out=signed)
    assert verify(signed, keys)
    assert uki.sections(signed.read_bytes()) == uki.sections(program.read_bytes())


def test_sign_carries_the_date_of_the_build(program: Path, keys: SecureBoot) -> None:
    sign(program, keys=keys, date=DATE, out=program)
    assert re.findall(rb"\d{12}Z", program.read_bytes())[-1] == b"241115000001Z"


def test_sign_twice_gives_the_same_bytes(program: Path, keys: SecureBoot, tmp_path: Path) -> None:
    sign(program, keys=keys, date=DATE, out=tmp_path / "1")
    sign(program, keys=keys, date=DATE, out=tmp_path / "2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


@pytest.mark.parametrize("what", ["a bit of the kernel", "the date"])
def test_sign_changed_program_fails_sbverify(program: Path, keys: SecureBoot, what: str) -> None:
    sign(program, keys=keys, date=DATE, out=program)
    data = bytearray(program.read_bytes())
    place = data.index(b"kernel") if what == "a bit of the kernel" else data.rindex(b"241115000001Z")
    data[place] ^= 1
    program.write_bytes(data)
    assert not verify(program, keys)


def test_sign_without_key(program: Path, tmp_path: Path) -> None:
    keys = SecureBoot(key="/nonexistent/key.pem", certificate="/nonexistent/certificate.pem")
    with pytest.raises(InputError, match=r"the Secure Boot key /nonexistent/key\.pem is not there"):
        sign(program, keys=keys, date=DATE, out=tmp_path / "signed")
