"""Read files over HTTP as everybody sees them, from any web server, CDN or bucket; nothing can be written there."""

import http.client
import urllib.error
import urllib.parse
import urllib.request
from email.utils import parsedate_to_datetime

from jeos.core.errors import NetworkError
from jeos.store.places.place import GET_LIMIT, Found, MissingFileError, check_name

TIMEOUT = 60.0  # seconds of silence
GONE = (403, 404, 410)  # buckets that may not be listed say 403 for what is not there


class _PastEndError(Exception):
    """A part was asked for that begins behind the end."""


class WebPlace:
    """The files at an http(s) address."""

    what = "the web folder"
    missing_hint = ""

    def __init__(self, address: str) -> None:
        self.place = address.rstrip("/")

    def stat(self, name: str) -> Found | None:
        """Return what is known of a file, or None if it is not there."""
        try:
            with self._open(name, method="HEAD") as answer:
                modified = answer.headers.get("Last-Modified")
                return Found(
                    name=name,
                    size=int(answer.headers.get("Content-Length", 0)),
                    modified=parsedate_to_datetime(modified).timestamp() if modified else 0.0,
                    tag=answer.headers.get("ETag", ""),
                )
        except MissingFileError:
            return None
        except ValueError as error:
            raise self._failed(name, error) from error

    def get(self, name: str, *, offset: int = 0, limit: int = GET_LIMIT) -> bytes:
        """Return the bytes of a file from `offset` on, at most `limit` of them. Raises MissingFileError."""
        headers = {"Range": f"bytes={offset}-{offset + limit - 1}"} if offset else {}
        try:
            with self._open(name, headers=headers) as answer:
                if offset and answer.status != http.HTTPStatus.PARTIAL_CONTENT:
                    raise NetworkError(f"{self.place} does not serve ranges of {name}", hint="use another server")
                data: bytes = answer.read(limit)
                return data
        except _PastEndError:
            return b""
        except (OSError, http.client.HTTPException) as error:
            raise self._failed(name, error) from error

    def _open(
        self, name: str, *, method: str = "GET", headers: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        address = f"{self.place}/{urllib.parse.quote(check_name(name))}"
        request = urllib.request.Request(address, method=method, headers=headers or {})  # noqa: S310 - http(s) only
        try:
            answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310
            return answer
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise _PastEndError from None
            if error.code in GONE:
                raise MissingFileError(name, where=f"{self.what} {self.place}", hint=self.missing_hint) from None
            raise NetworkError(
                f"{self.place} answers {error.code} for {name}", hint="look at the server's log"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._failed(name, error) from error

    def _failed(self, name: str, error: Exception) -> NetworkError:
        reason = getattr(error, "reason", error)
        return NetworkError(
            f"{self.place}/{name} could not be read: {reason}", hint="look at the network and the server"
        )
