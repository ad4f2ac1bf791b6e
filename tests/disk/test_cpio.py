import hashlib
import io
import shutil
import subprocess
from pathlib import Path

import pytest

from jeos.core.errors import InputError
from jeos.disk import cpio
from jeos.model.tree import Entry, Kind, Tree

DATA = b"#!/bin/lua\n" * 3
DIGEST = hashlib.sha256(DATA).hexdigest()
TREE = Tree.of(
    (
        Entry(path="init", kind=Kind.FILE, mode=0o755, mtime=1_700_000_000, size=len(DATA), digest=DIGEST),
        Entry(path="dev", kind=Kind.DIRECTORY, mtime=1_700_000_000),
        Entry(path="dev/console", kind=Kind.CHARACTER, mode=0o600, device=(5, 1)),
        Entry(path="sbin", kind=Kind.SYMLINK, mode=0o777, target="usr/sbin"),
    )
)


def write(tree: Tree) -> bytes:
    out = io.BytesIO()
    cpio.write(tree, content={DIGEST: DATA}.__getitem__, out=out)
    return out.getvalue()


def test_write_member_has_the_documented_form() -> None:
    archive = write(Tree.of((TREE.by_path()["init"],)))
    size = f"{len(DATA):08X}"
    header = f"07070100000002000081ED0000000000000000000000016553F100{size}{'0' * 32}0000000500000000"
    assert archive.startswith(header.encode() + b"init\0\0")
    assert archive[116 : 116 + len(DATA)] == DATA
    assert len(archive) % 4 == 0
    assert b"TRAILER!!!" in archive[-16:]


def test_write_twice_gives_the_same_bytes() -> None:
    assert write(TREE) == write(TREE)


@pytest.mark.skipif(shutil.which("bsdtar") is None and shutil.which("cpio") is None, reason="no reader of cpio")
def test_write_read_by_another_program(tmp_path: Path) -> None:
    program = ["bsdtar", "-tf", "-"] if shutil.which("bsdtar") else ["cpio", "-t", "--quiet"]
    listed = subprocess.run(program, input=write(TREE), capture_output=True, check=True).stdout.decode().split()
    assert listed == ["dev", "dev/console", "init", "sbin"]


def test_write_refuses_extended_attributes() -> None:
    entry = Entry(path="init", kind=Kind.FILE, digest=DIGEST, xattrs=(("user.a", b"b"),))
    with pytest.raises(InputError, match="no extended attributes"):
        write(Tree.of((entry,)))
