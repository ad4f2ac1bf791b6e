"""What a package's own changelog says about security: the CVE numbers between two versions.

Each Debian package carries `/usr/share/doc/NAME/changelog.Debian.gz` (Debian policy, 12.7), or `changelog.gz` where
Debian is the author; its entries start with `SOURCE (VERSION) SUITES; urgency=…`, the newest first.
"""

import re
import subprocess
import tarfile
import zlib
from pathlib import Path

from jeos.core.run import spawn
from jeos.model.debian_version import newer

NAMES = ("changelog.Debian.gz", "changelog.gz")
LARGEST = 32 << 20  # bytes of a changelog that are looked at; the kernel's has 3 MiB
_ENTRY = re.compile(r"^[a-z0-9][a-z0-9+.-]* \(([^)\s]+)\) .*;", re.MULTILINE)
_CVE = re.compile(r"\bCVE-\d{4}-\d{4,7}\b")


def cves(text: str, *, since: str) -> tuple[str, ...]:
    """Return the CVE numbers in the entries that are newer than the source version `since`, sorted."""
    entries = list(_ENTRY.finditer(text))
    found: set[str] = set()
    ends = [*(entry.start() for entry in entries[1:]), len(text)]
    for entry, end in zip(entries, ends, strict=False):  # without an entry, there is one end too many
        if newer(entry[1], since):
            found.update(_CVE.findall(text, entry.start(), end))
    return tuple(sorted(found, key=lambda name: tuple(int(number) for number in name.split("-")[1:])))


def read(deb: Path, *, package: str) -> str:
    """Return the changelog in a .deb file, or "" where it has none (its folder may be a link to another package's)."""
    wanted = {f"./usr/share/doc/{package}/{name}" for name in NAMES}
    process = spawn(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    try:
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.name in wanted and member.isfile() else None
                if content is not None:
                    return _unpacked(content.read(LARGEST))
    except (tarfile.TarError, zlib.error):
        return ""  # a notice less; whether the package is sound is for its unpacking to say
    finally:
        process.stdout.close()
        process.kill()
        process.wait()
    return ""


def _unpacked(data: bytes) -> str:
    gzip_form = zlib.MAX_WBITS | 16
    return zlib.decompressobj(wbits=gzip_form).decompress(data, LARGEST).decode(errors="replace")
