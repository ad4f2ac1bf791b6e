"""Files in an S3 bucket (or in what speaks S3), by obstore; conditional writes keep two writers apart.

Credentials, region and endpoint come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`,
`AWS_ENDPOINT_URL`; http:// endpoints too). Sources: S3's "Conditional writes" (If-None-Match, If-Match on PutObject).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from obstore import exceptions
from obstore.store import S3Store

from jeos.core.errors import NetworkError, UsageError
from jeos.store.places.place import GET_LIMIT, ChangedFileError, Found, MissingFileError, check_name

if TYPE_CHECKING:
    from obstore import Attributes

_ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")


class ObjectPlace:
    """The files under a bucket's prefix; `settings` are obstore's, instead of the environment's."""

    what = "the bucket"
    missing_hint = ""
    changed_hint = "run the command again"

    def __init__(self, address: str, **settings: Any) -> None:
        match = _ADDRESS.fullmatch(address.rstrip("/"))
        if match is None:
            raise UsageError(f"{address} is no bucket", hint="write s3://BUCKET or s3://BUCKET/PREFIX")
        self.place = address.rstrip("/")
        prefix = match[2] or ""
        with self._network():
            self._store = S3Store(
                match[1], prefix=check_name(prefix) if prefix else None, client_options={"allow_http": True}, **settings
            )

    def stat(self, name: str) -> Found | None:
        """Return what is known of an object, or None if it is not there."""
        try:
            with self._network():
                found = self._store.head(check_name(name))
        except FileNotFoundError:
            return None
        return Found(
            name=name, size=found["size"], modified=found["last_modified"].timestamp(), tag=found["e_tag"] or ""
        )

    def get(self, name: str, *, offset: int = 0, limit: int = GET_LIMIT) -> bytes:
        """Return the bytes of an object from `offset` on, at most `limit` of them. Raises MissingFileError."""
        found = self.stat(name)
        if found is None:
            raise MissingFileError(name, where=f"{self.what} {self.place}", hint=self.missing_hint)
        length = min(limit, found.size - offset)
        if length <= 0:  # S3 refuses a range of nothing
            return b""
        try:
            with self._network():
                return bytes(self._store.get_range(name, start=offset, length=length))
        except FileNotFoundError:
            raise MissingFileError(name, where=f"{self.what} {self.place}", hint=self.missing_hint) from None

    def put_new(self, name: str, data: bytes | bytearray | memoryview | Path) -> bool:
        """Write an object that is never changed again; return False, and change nothing, if the name is taken."""
        try:
            with self._network():
                self._put(name, data, mode="create")
        except exceptions.AlreadyExistsError:
            return False
        return True

    def put(self, name: str, data: bytes, *, replaces: str | None = None) -> None:
        """Write an object at once, in place of what was there; see `Place.put`."""
        mode: Any = "overwrite" if replaces is None else {"e_tag": replaces} if replaces else "create"
        try:
            with self._network():
                self._put(name, data, mode=mode)
        except (exceptions.PreconditionError, exceptions.AlreadyExistsError, FileNotFoundError):
            raise ChangedFileError(name, where=f"{self.what} {self.place}", hint=self.changed_hint) from None

    def list(self, prefix: str = "") -> Iterator[Found]:
        """Yield all objects whose names start with `prefix`."""
        # S3 lists by characters, obstore by whole folders.
        folder = prefix.rpartition("/")[0]
        with self._network():
            for page in self._store.list(folder or None):
                for found in page:
                    if found["path"].startswith(prefix):
                        yield Found(
                            name=found["path"],
                            size=found["size"],
                            modified=found["last_modified"].timestamp(),
                            tag=found["e_tag"] or "",
                        )

    def delete(self, name: str) -> None:
        """Delete an object; nothing happens if it is not there."""
        try:
            with self._network():
                self._store.delete(check_name(name))
        except FileNotFoundError:
            return

    def attributes(self, name: str) -> "Attributes":
        """Return what the bucket is to say of an object to those who fetch it by HTTP."""
        return {"Content-Type": "application/octet-stream"}

    def _put(self, name: str, data: bytes | bytearray | memoryview | Path, *, mode: Any) -> None:
        # In one request, as conditions need: S3 takes up to 5 GiB at once.
        obstore.put(
            self._store, check_name(name), data, attributes=self.attributes(name), mode=mode, use_multipart=False
        )

    @contextmanager
    def _network(self) -> Iterator[None]:
        """Turn what goes wrong on the way to the bucket into our error."""
        try:
            yield
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError, FileNotFoundError):
            raise
        except (exceptions.BaseError, PermissionError) as error:
            reason = str(error).strip().partition("\n")[0][:300]
            raise NetworkError(
                f"{self.place} could not be used: {reason}",
                hint="look at AWS_ENDPOINT_URL, AWS_REGION and the credentials in the environment",
            ) from error
