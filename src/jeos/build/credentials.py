"""Passwords of private repositories: from a file of the user's own, so that they stand in no recipe and no lock.

    machine apt.vendor.example login customer password 8d0b…

The form is that of apt_auth.conf(5), which is .netrc's; apt reads the same file. A machine without a scheme is only
trusted with a password over https.
"""

import netrc
from pathlib import Path
from urllib.parse import urlsplit

from jeos.core.errors import InputError


class Credentials:
    """What a file of credentials says; `path` may be None, or not be there."""

    def __init__(self, path: Path | None) -> None:
        self.path = path if path is not None and path.is_file() else None
        try:
            self._known = netrc.netrc(str(self.path)) if self.path else None
        except (netrc.NetrcParseError, UnicodeDecodeError, OSError) as error:
            raise InputError(
                f"{path} cannot be read: {error}", hint="each line is: machine HOST login USER password PASSWORD"
            ) from None

    def of(self, url: str) -> str:
        """Return "user:password" for an address, or "" if there is none."""
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        names = [f"{parts.scheme}://{host}", *([host] if parts.scheme == "https" else [])]
        for name in names:
            if self._known is not None and name in self._known.hosts:
                user, _, password = self._known.hosts[name]
                return f"{user}:{password}"
        return ""
