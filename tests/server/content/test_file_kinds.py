"""Which files are taken and what they are called, and which part of a file is sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.server.content import file_kinds, ranges
from jeos.server.content.file_kinds import BadFile, clean_name, media_of

ALLOWED = ("txt", "log", "pdf", "zip", "bin")


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("boot.log", "boot.log"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\boot.log", "boot.log"),
        ("/", "file"),
        ("", "file"),
        ("...", "file"),
        (".log", "log"),
        (".htaccess", "htaccess"),
        ("a\0b\r\nSet-Cookie: x.txt", "abSet-Cookie x.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),  # shown as invoiceexe.pdf where that sign is obeyed
        ('<img src=x onerror=alert(1)>".txt', "img src=x onerror=alert(1).txt"),
        ("e\u0301t\u00e9.txt", "\u00e9t\u00e9.txt"),
        ("x" * 300 + ".txt", "x" * 96 + ".txt"),
        ("\ud800.txt", "txt"),
    ],
)
def test_name_has_no_folder_and_nothing_that_is_not_seen(given_name: str, name: str) -> None:
    assert clean_name(given_name) == name


@given(st.text(max_size=400))
def test_any_name_becomes_one_and_stays_it(given_name: str) -> None:
    name = clean_name(given_name)
    assert 0 < len(name) <= file_kinds.LONGEST
    assert not set('/\\\0\r\n<>"') & set(name)
    assert clean_name(name) == name


@pytest.mark.parametrize(
    ("name", "data", "media"),
    [
        ("a.txt", "grün\n".encode(), "text/plain; charset=utf-8"),
        ("A.LOG", b"<script>alert(1)</script>", "text/plain; charset=utf-8"),
        ("a.pdf", b"%PDF-1.7 ...", "application/pdf"),
        ("a.zip", b"PK\x03\x04...", "application/zip"),
        ("a.bin", b"\0\1", "application/octet-stream"),
    ],
)
def test_file_of_a_kind_on_the_list_is_taken(name: str, data: bytes, media: str) -> None:
    assert media_of(name, data, allowed=ALLOWED) == media


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.html", b"<script>", "kind"),
        ("a.svg", b"<svg/>", "kind"),
        ("a", b"x", "kind"),
        ("txt", b"x", "kind"),
        ("a.txt.exe", b"MZ", "kind"),
        ("a.pdf", b"MZ\x90", "content"),
        ("a.zip", b"<html>", "content"),
        ("a.txt", b"\x7fELF\0", "content"),
        ("a.log", b"\xff\xfe\0", "content"),
        ("a.png", b"<svg/>", "picture"),
    ],
)
def test_other_files_are_not_taken(name: str, data: bytes, why: str) -> None:
    with pytest.raises(BadFile) as bad:
        media_of(name, data, allowed=ALLOWED)
    assert bad.value.why == why


@pytest.mark.parametrize("ending", ["html", "svg", "xml", "js", "xhtml"])
def test_what_a_browser_runs_is_sent_as_bytes_even_if_a_site_takes_it(ending: str) -> None:
    assert media_of(f"a.{ending}", b"<svg/>", allowed=(ending,)) == "application/octet-stream"


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("", None),
        ("bytes=0-9", (0, 10)),
        ("bytes=5-", (5, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-500", (0, 100)),
        ("bytes=90-500", (90, 100)),
        ("bytes=9-3", None),
        ("bytes=0-1,5-6", None),
        ("bytes=-", None),
        ("lines=1-2", None),
        ("bytes=" + "9" * 40 + "-", None),
    ],
)
def test_part_that_is_asked_for(header: str, part: tuple[int, int] | None) -> None:
    assert ranges.part(header, 100) == part


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=500-600", "bytes=-0"])
def test_part_that_there_is_not(header: str) -> None:
    with pytest.raises(ranges.NoSuchPart):
        ranges.part(header, 100)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 40))
def test_any_part_is_within_the_file(first: int, last: int, size: int) -> None:
    try:
        part = ranges.part(f"bytes={first}-{last}", size)
    except ranges.NoSuchPart:
        assert first >= size
        return
    if part is not None:
        assert bytes(range(size))[part[0] : part[1]] == bytes(range(size))[first : last + 1]
