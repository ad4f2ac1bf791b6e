"""Small Debian packages for tests: sound ones made by dpkg-deb, and broken ones made by hand."""

import io
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from jeos.build.unpack import Unpacked, unpack


def make_deb(
    folder: Path,
    name: str,
    *,
    files: Mapping[str, str] | None = None,
    links: Mapping[str, str] | None = None,
    folders: Iterable[str] = (),
    control: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
    compression: str = "gzip",
) -> Path:
    """Build a package with dpkg-deb: `files` by path, `control` fields, and `extra` control files such as postinst."""
    tree = folder / f"{name}.tree"
    (tree / "DEBIAN").mkdir(parents=True)
    for path in folders:
        (tree / path).mkdir(parents=True, exist_ok=True)
    for path, text in (files or {}).items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    for path, target in (links or {}).items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).symlink_to(target)
    fields = {"Package": name, "Version": "1.0", "Architecture": "amd64", "Maintainer": "jeos tests <jeos@example.org>"}
    fields |= {"Description": f"the package {name}"} | dict(control or {})
    (tree / "DEBIAN/control").write_text("".join(f"{key}: {value}\n" for key, value in fields.items()))
    for file, text in (extra or {}).items():
        (tree / "DEBIAN" / file).write_text(text)
        (tree / "DEBIAN" / file).chmod(0o755 if text.startswith("#!") else 0o644)
    deb = folder / f"{name}.deb"
    command = ["dpkg-deb", "--root-owner-group", f"-Z{compression}", "--build", str(tree), str(deb)]
    subprocess.run(command, check=True, capture_output=True)
    return deb


def make_unpacked(folder: Path, name: str, **arguments: object) -> Unpacked:
    """Build a package as `make_deb` does and unpack it."""
    into = folder / f"{name}.unpacked"
    into.mkdir()
    return unpack(make_deb(folder, name, **arguments), into=into)  # type: ignore[arg-type]


def tar(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    """Return a tar archive of the members, however foolish they are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def member(
    name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, target: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    """Return one member for `tar`."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return info, content


def ar(parts: Mapping[str, bytes]) -> bytes:
    """Return an ar archive of the parts."""
    data = b"!<arch>\n"
    for name, content in parts.items():
        data += b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (name.encode(), 0, 0, 0, b"100644", len(content))
        data += content + b"\n" * (len(content) % 2)
    return data


CONTROL = tar(member("./control", b"Package: bad\nVersion: 1\nArchitecture: all\n"))


def raw_deb(path: Path, data: bytes, *, name: str = "data.tar", control: bytes = CONTROL) -> Path:
    """Write a package with this data archive."""
    path.write_bytes(ar({"debian-binary": b"2.0\n", "control.tar": control, name: data}))
    return path
