"""From an address to the place: a folder, s3://BUCKET/PREFIX, or http(s):// for what may only be read."""

from pathlib import Path

from jeos.store.places.folder import FolderPlace
from jeos.store.places.place import Place, Reader


def open_place(address: str) -> Place | Reader:
    """Return the place at an address; what can only be read (http) has no more than the methods of `Reader`.

    Whether anything is there shows only when it is used.
    """
    if address.startswith("s3://"):
        from jeos.store.places.objects import ObjectPlace  # loads 16 MB that folders do not need

        return ObjectPlace(address)
    if address.startswith(("http://", "https://")):
        from jeos.store.places.web import WebPlace

        return WebPlace(address)
    return FolderPlace(Path(address))
