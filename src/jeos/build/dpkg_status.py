"""dpkg's status file, read as stanzas, and written one file a package as scanners of small images expect it.

An image without a package manager keeps `var/lib/dpkg/status.d/NAME` (the stanza) and `NAME.md5sums`, the form that
scanners know from images that were slimmed in the same way.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

STATUS = "var/lib/dpkg/status"
STATUS_FOLDER = "var/lib/dpkg/status.d"


def stanzas(text: str) -> Iterator[str]:
    """Yield the stanzas of a status or Packages file, each without the empty lines around it."""
    for stanza in re.split(r"\n\s*\n", text):
        if stanza.strip():
            yield stanza.strip("\n")


def fields(stanza: str) -> dict[str, str]:
    """Return the fields of a stanza (deb822), continuation lines joined by newlines, names in lower case."""
    found: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1] in (" ", "\t"):
            if name:
                found[name] += "\n" + line.strip()
            continue
        key, colon, value = line.partition(":")
        if colon:
            name = key.strip().lower()
            found[name] = value.strip()
    return found


def installed(root: Path) -> dict[str, str]:
    """Return the stanza of each package that dpkg calls installed in a root, by name."""
    path = root / STATUS
    if not path.exists():
        return {}
    found = {}
    for stanza in stanzas(path.read_text(errors="replace")):
        values = fields(stanza)
        if values.get("status", "").split()[-1:] == ["installed"]:
            found[values["package"]] = stanza
    return found


def dependencies(values: Mapping[str, str]) -> list[list[str]]:
    """Return what a package depends on (Depends and Pre-Depends), each as a list of alternatives without versions."""
    both = ",".join(filter(None, (values.get("pre-depends", ""), values.get("depends", ""))))
    groups = []
    for group in both.split(","):
        names = [re.split(r"[\s(:\[]", choice.strip(), maxsplit=1)[0] for choice in group.split("|")]
        names = [name for name in names if name]
        if names:
            groups.append(names)
    return groups


def provided(values: Mapping[str, str]) -> list[str]:
    """Return the names that a package provides beside its own."""
    names = [re.split(r"[\s(:]", item.strip(), maxsplit=1)[0] for item in values.get("provides", "").split(",")]
    return [name for name in names if name]


def status_files(root: Path) -> dict[str, bytes]:
    """Return the files for `status.d`, by path: each package's stanza and checksums."""
    found: dict[str, bytes] = {}
    info = root / "var/lib/dpkg/info"
    for name, stanza in installed(root).items():
        found[f"{STATUS_FOLDER}/{name}"] = f"{stanza}\n".encode()
        for sums in (info / f"{name}.md5sums", *sorted(info.glob(f"{name}:*.md5sums"))):
            if sums.exists():
                found[f"{STATUS_FOLDER}/{name}.md5sums"] = sums.read_bytes()
                break
    return found
