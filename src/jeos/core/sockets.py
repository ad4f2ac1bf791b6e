"""Sockets in the file system that only this user can connect to."""

import os
import socket
from pathlib import Path


def listen(place: Path) -> socket.socket:
    """Return a new socket that listens at `place`, in place of what lies there. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        place.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            listener.bind(str(place))
        finally:
            os.umask(before)
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener
