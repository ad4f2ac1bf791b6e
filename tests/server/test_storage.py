"""Uploaded files on the disk: kept once, found by digest, and removed only when nobody is about to use them."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from jeos.server.storage import Folder


def test_file_is_kept_once_and_read_back(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "files")
    digest = folder.put(b"a log")
    assert digest == hashlib.sha256(b"a log").hexdigest() == folder.put(b"a log")
    with folder.open(digest) as file:
        assert file.read() == b"a log"
    kept = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    assert [(path.name, path.stat().st_mode & 0o777) for path in kept] == [(digest, 0o600)]


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "0" * 63, "0" * 64 + "/x", "A" * 64])
def test_what_is_no_digest_is_no_file(tmp_path: Path, digest: str) -> None:
    with pytest.raises(FileNotFoundError):
        Folder(tmp_path).open(digest)


def test_file_goes_only_when_nobody_has_put_it_for_a_while(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    old, new = folder.put(b"old"), folder.put(b"new")
    past = time.time() - 7_200
    os.utime(tmp_path / old[:2] / old, (past, past))
    assert list(folder.idle(3_600)) == [old]
    assert (folder.remove(new, idle=3_600), folder.remove(old, idle=3_600)) == (False, True)
    assert folder.remove(old, idle=3_600)
    assert folder.open(new).read() == b"new"
    with pytest.raises(FileNotFoundError):
        folder.open(old)


def test_file_that_is_put_again_is_no_longer_idle(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    digest = folder.put(b"x")
    past = time.time() - 7_200
    os.utime(tmp_path / digest[:2] / digest, (past, past))
    folder.put(b"x")
    assert list(folder.idle(3_600)) == []
    assert not folder.remove(digest, idle=3_600)


def test_removal_that_was_cut_short_is_taken_back(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    digest = folder.put(b"x")
    path = tmp_path / digest[:2] / digest
    path.rename(path.with_suffix(".leaving"))
    list(folder.idle(3_600))
    assert folder.open(digest).read() == b"x"
