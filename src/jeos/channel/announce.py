"""Tell a catalogue of a version: the publication goes to `SITE/catalogue/publish`, with a personal token.

    told = announce.send(publication, site="https://exchange.example", token=token)
    told.url

A token is as good as a password: it goes over TLS, or to this host, and follows no redirect elsewhere.
"""

import http.client
import ipaddress
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import IO
from urllib.parse import urlsplit

from jeos.core.errors import InputError, NetworkError, UsageError
from jeos.model import publication as publications
from jeos.model.publication import Publication

DOOR = "/catalogue/publish"
TIMEOUT = 60.0  # seconds of silence
LONGEST_ANSWER = 64 << 10  # bytes
AGAIN = "look at the address, the network and the server"


@dataclass(frozen=True, slots=True)
class Told:
    """What the catalogue answered: the version's page, and whether it was `new` to the catalogue."""

    url: str
    version: str
    new: bool


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows nothing: the token is for one host."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: object, newurl: str
    ) -> None:
        """Return no request."""
        return None


def check_site(site: str) -> str:
    """Return the address of a site without a slash at its end. Raises UsageError if a token must not go there."""
    parts = urlsplit(site)
    try:
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        parts.port  # noqa: B018 - raises ValueError for what is no port
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment:
        raise UsageError(f"{site} is no address of a site", hint="as in --to https://exchange.example")
    if parts.scheme == "http" and not _is_here(parts.hostname or ""):
        raise UsageError(f"{site} would show your token to the network", hint="use https://")
    return site.rstrip("/")


def _is_here(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def send(publication: Publication, *, site: str, token: str) -> Told:
    """Send a publication.

    Raises InputError if it is not taken, UsageError if the token is not good for it, NetworkError if nobody answers.
    """
    address = f"{check_site(site)}{DOOR}"
    request = urllib.request.Request(  # noqa: S310 - http(s) only
        address,
        data=publications.dump(publication),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": "application/json"},
        method="POST",
    )
    opener = urllib.request.build_opener(_NoRedirects())
    try:
        with opener.open(request, timeout=TIMEOUT) as answer:
            said = json.loads(answer.read(LONGEST_ANSWER))
            return Told(url=str(said["url"]), version=str(said["version"]), new=bool(said["new"]))
    except urllib.error.HTTPError as error:
        with error:
            raise _refused(error, address) from None
    except (OSError, http.client.HTTPException) as error:
        raise NetworkError(f"{address} cannot be reached: {getattr(error, 'reason', error)}", hint=AGAIN) from error
    except (ValueError, KeyError, TypeError) as error:
        raise NetworkError(f"{address} is no catalogue of jeos: it answers something else", hint=AGAIN) from error


def _refused(error: urllib.error.HTTPError, address: str) -> InputError | UsageError | NetworkError:
    """Return what a refusal means, in the words of the site."""
    try:
        said = json.loads(error.read(LONGEST_ANSWER))
        why, hint = str(said["error"])[:500], str(said["hint"])[:500]
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        where = error.headers.get("Location", "")
        more = f", and leads to {where}" if where else ""
        return NetworkError(f"{address} answers {error.code}{more}", hint=AGAIN)
    message = f"{urlsplit(address).netloc} does not take it: {why}"
    if error.code in (401, 403):
        return UsageError(message, hint=hint)
    if error.code in (400, 409, 413):
        return InputError(message, hint=hint)
    return NetworkError(message, hint=hint)
