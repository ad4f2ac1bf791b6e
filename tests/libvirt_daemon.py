"""A user's own libvirt, started for the tests alone, with all that it keeps in a folder of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jeos.core.errors import HostError
from jeos.vm.domains import library
from jeos_command import wait_until

# libvirt gives root the system's libvirt and nothing else. In a namespace of users, root is an ordinary one, with its
# own files.
AS_USER = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
NO_LOG_DAEMON = 'stdio_handler = "file"\n'
END_SECONDS = 20.0


@contextmanager
def session_libvirt() -> Iterator[str]:
    """Start a libvirt and yield its address; nothing of it, its QEMUs included, is left afterwards."""
    try:
        library.load()
    except HostError as error:
        pytest.skip(f"{error.message}: {error.hint}")
    program = shutil.which("libvirtd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("libvirtd is not installed")
    folder = Path(tempfile.mkdtemp(prefix="jeos-libvirt-"))  # short, because sockets are in it
    places = {
        f"XDG_{name}": folder / name.lower() for name in ("RUNTIME_DIR", "CONFIG_HOME", "CACHE_HOME", "DATA_HOME")
    }
    for place in places.values():
        (place / "libvirt").mkdir(parents=True, mode=0o700)
    (places["XDG_CONFIG_HOME"] / "libvirt/qemu.conf").write_text(NO_LOG_DAEMON)
    environment = {**os.environ, **{name: str(place) for name, place in places.items()}, "HOME": str(folder)}
    prefix = AS_USER if os.geteuid() == 0 else ()
    socket = places["XDG_RUNTIME_DIR"] / "libvirt/libvirt-sock"
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen([*prefix, program], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until(lambda: socket.exists() or daemon.poll() is not None, "libvirtd does not come up")
        assert daemon.poll() is None, (folder / "log").read_text()
        yield f"qemu:///session?socket={socket}"
    finally:
        daemon.terminate()
        try:
            daemon.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
        shutil.rmtree(folder)
