"""A small wheel, and wheels like it that are not right."""

import base64
import hashlib
import zipfile
from pathlib import Path

INFO = "shop-1.0.dist-info"
FILES = {
    "shop/__init__.py": b"def main() -> None: ...\n",
    "shop/__pycache__/__init__.cpython-313.pyc": b"stale",
    "shop-1.0.data/scripts/shop-admin": b"#!python\nprint('admin')\n",
    "shop-1.0.data/data/share/shop/logo.svg": b"<svg/>",
    f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n",
    f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{INFO}/entry_points.txt": b"[console_scripts]\nshop = shop:main\n",
}


def digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def make_wheel(path: Path, files: dict[str, bytes], *, record: dict[str, bytes] | None = None) -> Path:
    listed = files if record is None else record
    rows = "".join(f"{name},sha256={digest(data)},{len(data)}\n" for name, data in listed.items())
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**files, f"{INFO}/RECORD": f"{rows}{INFO}/RECORD,,\n".encode()}.items():
            archive.writestr(name, data)
    return path
