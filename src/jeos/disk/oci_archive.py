"""An OCI image with one layer, as an archive of an image layout (OCI image specification 1.1).

    write(file, write_layer, tag="1.0", labels={"org.opencontainers.image.title": "web"})

The archive has blobs by their digests, index.json and oci-layout. The layer is written where it stays; its header,
which has its name and so its digest, is filled in afterwards.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from jeos.disk.blocks import PIECE
from jeos.disk.shifted import shifted
from jeos.disk.tar_write import BLOCK, END, RECORD, header, padded

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"  # not compressed: what is in it is
INDEX = "application/vnd.oci.image.index.v1+json"
REFERENCE = "org.opencontainers.image.ref.name"
CREATED = "1980-01-01T00:00:00Z"  # as all files in it, so that the same image gives the same archive
ARCHITECTURE = "amd64"

WriteLayer = Callable[[BinaryIO], None]


@dataclass(frozen=True, slots=True)
class _Blob:
    """Content by its SHA-256."""

    digest: str
    size: int

    def described(self, kind: str) -> dict[str, object]:
        """Return it as a descriptor of content."""
        return {"mediaType": kind, "digest": f"sha256:{self.digest}", "size": self.size}

    @property
    def path(self) -> str:
        """Return its name in an image layout."""
        return f"blobs/sha256/{self.digest}"


def write(file: BinaryIO, write_layer: WriteLayer, *, tag: str, labels: Mapping[str, str]) -> None:
    """Write an archive into an empty file; `write_layer` gets one for the layer, to write a tar archive into."""
    content = _write_layer(file, write_layer)
    config = _write_blob(file, _config(content, labels=labels))
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.described(CONFIG),
        "layers": [content.described(LAYER)],
    }
    described = _write_blob(file, manifest).described(MANIFEST) | {
        "platform": {"architecture": ARCHITECTURE, "os": "linux"},
        "annotations": {REFERENCE: tag},
    }
    _write_file(file, "index.json", _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [described]}))
    _write_file(file, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
    file.truncate(padded(file.tell() + END, unit=RECORD))


def _config(layer: _Blob, *, labels: Mapping[str, str]) -> dict[str, object]:
    """Return the image's configuration; a layer that is not compressed has the same digest in it as outside."""
    return {
        "created": CREATED,
        "architecture": ARCHITECTURE,
        "os": "linux",
        "config": {"Labels": dict(labels)},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.digest}"]},
        "history": [{"created": CREATED, "created_by": "jeos export"}],
    }


def _write_layer(file: BinaryIO, write_layer: WriteLayer) -> _Blob:
    write_layer(shifted(file, BLOCK))
    end = file.seek(0, os.SEEK_END)
    file.seek(BLOCK)
    digest = hashlib.sha256()
    while piece := file.read(PIECE):
        digest.update(piece)
    blob = _Blob(digest.hexdigest(), end - BLOCK)
    file.write(bytes(padded(blob.size) - blob.size))
    end = file.tell()
    file.seek(0)
    file.write(header(blob.path, blob.size))
    file.seek(end)
    return blob


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _write_blob(file: BinaryIO, value: object) -> _Blob:
    content = _json(value)
    blob = _Blob(hashlib.sha256(content).hexdigest(), len(content))
    _write_file(file, blob.path, content)
    return blob


def _write_file(file: BinaryIO, name: str, content: bytes) -> None:
    file.write(header(name, len(content)) + content.ljust(padded(len(content)), b"\0"))
