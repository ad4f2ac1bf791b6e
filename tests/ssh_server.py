"""An OpenSSH server of the test's own: on the loopback device, with keys made here, for the user that runs the test."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 20.0  # seconds until it answers
PRIVILEGE_SEPARATION = Path("/run/sshd")  # root's servers want it, empty

CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
"""


@dataclass(frozen=True)
class SshServer:
    """A running server; `options` are what a client needs to come in."""

    port: int
    folder: Path

    @property
    def options(self) -> tuple[str, ...]:
        return (f"IdentityFile={self.folder / 'user'}", f"UserKnownHostsFile={self.folder / 'known'}")

    def address(self, path: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"


@contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    """Run a server for the block; its host key is known to clients that take its options."""
    folder.mkdir()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    key = (folder / "host.pub").read_text()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {key}")
    (folder / "config").write_text(CONFIG.format(port=port, folder=folder))
    made = os.geteuid() == 0 and not PRIVILEGE_SEPARATION.exists()
    if made:
        PRIVILEGE_SEPARATION.mkdir(mode=0o755)
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "openssh-server is not installed"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "-D", "-e", "-f", folder / "config"], stderr=log)
    try:
        _wait(port, process, folder=folder)
        yield SshServer(port, folder)
    finally:
        process.terminate()
        process.wait()
        if made:
            PRIVILEGE_SEPARATION.rmdir()


def _wait(port: int, process: "subprocess.Popen[bytes]", *, folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
            return
        except ConnectionRefusedError:
            assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.02)
