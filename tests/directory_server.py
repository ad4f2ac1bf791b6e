"""A real LDAP directory for tests: OpenLDAP's slapd as an ordinary process, in a folder of its own, on free ports.

with directory_server.running([Person("ada", groups=("chiefs",))]) as directory:
    directory.url, directory.ca_file
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from certificates import certificate

READY_SECONDS = 60
BASE = "dc=example,dc=org"
PEOPLE, GROUPS = f"ou=people,{BASE}", f"ou=groups,{BASE}"
ROOT, ROOT_PASSPHRASE = f"cn=root,{BASE}", "of root"
POLICY = f"cn=policy,{BASE}"
SERVICE, SERVICE_PASSPHRASE = f"cn=exchange,{BASE}", "of the exchange"
PASSPHRASE = "horse battery staple"
# People see nothing but themselves; the exchange sees people and groups, and nobody sees passphrases.
CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
pidfile {folder}/pid
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
database mdb
suffix "{base}"
rootdn "{root}"
rootpw "{root_passphrase}"
directory {folder}/data
overlay memberof
overlay ppolicy
ppolicy_default "{policy}"
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{service}" read by self read by * none
"""


@dataclass(frozen=True)
class Person:
    """Somebody in the directory."""

    uid: str
    email: str = ""
    name: str = ""
    groups: tuple[str, ...] = ()

    @property
    def dn(self) -> str:
        return f"uid={self.uid},{PEOPLE}"


@dataclass(frozen=True)
class Running:
    """A directory that runs, and how it is asked."""

    port: int
    secure_port: int
    ca_file: Path
    log: Path

    def change(self, ldif: str) -> None:
        """Change something, as the directory's administrator does."""
        _tool("ldapmodify", self.port, ldif)

    def remove(self, dn: str) -> None:
        """Remove an entry."""
        _tool("ldapdelete", self.port, "", dn)

    def lock(self, person: Person) -> None:
        """Lock an account for good."""
        self.change(
            f"dn: {person.dn}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n"
        )


@contextlib.contextmanager
def running(people: Sequence[Person]) -> Iterator[Running]:
    """Run a directory that knows some people."""
    folder = Path(tempfile.mkdtemp(prefix="jeos-slapd-"))
    (folder / "data").mkdir()
    public, private = certificate(folder, "localhost")
    paths = {"folder": folder, "certificate": public, "key": private, "base": BASE}
    names = {"root": ROOT, "root_passphrase": ROOT_PASSPHRASE, "service": SERVICE, "policy": POLICY}
    (folder / "slapd.conf").write_text(CONFIGURATION.format(**paths, **names))
    program = shutil.copy("/usr/sbin/slapd", folder / "slapd")  # Debian's profile of AppArmor is for its own path
    made = Running(_free_port(), _free_port(), ca_file=public, log=folder / "log")
    listen = f"ldap://localhost:{made.port}/ ldaps://localhost:{made.secure_port}/"
    with made.log.open("wb") as out:
        command = [program, "-f", str(folder / "slapd.conf"), "-h", listen, "-d", "stats"]
        server = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        _wait(server, made)
        _tool("ldapadd", made.port, "\n".join(_entries(people)))
        yield made
    finally:
        server.terminate()
        server.wait(READY_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait(server: subprocess.Popen[bytes], made: Running) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("localhost", made.secure_port)):
            return
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"slapd did not start: {made.log.read_text(errors='replace')[-2_000:]}")
        time.sleep(0.05)


def _tool(name: str, port: int, text: str, *arguments: str) -> None:
    """Run one of OpenLDAP's own clients as the directory's administrator."""
    command = [name, "-x", "-H", f"ldap://localhost:{port}", "-D", ROOT, "-w", ROOT_PASSPHRASE, *arguments]
    env = {**os.environ, "LDAPNOINIT": "1"}
    done = subprocess.run(command, input=text, text=True, capture_output=True, env=env, check=False)
    assert done.returncode == 0, done.stderr


def _entries(people: Sequence[Person]) -> Iterator[str]:
    yield f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n"
    for unit in ("people", "groups"):
        yield f"dn: ou={unit},{BASE}\nobjectClass: organizationalUnit\nou: {unit}\n"
    yield (
        f"dn: {SERVICE}\nobjectClass: applicationProcess\nobjectClass: simpleSecurityObject\ncn: exchange\n"
        f"userPassword: {SERVICE_PASSPHRASE}\n"
    )
    yield (
        f"dn: {POLICY}\nobjectClass: organizationalRole\nobjectClass: pwdPolicy\ncn: policy\n"
        "pwdAttribute: userPassword\npwdLockout: TRUE\n"
    )
    for person in people:
        mail = f"mail: {person.email}\n" if person.email else ""
        yield (
            f"dn: {person.dn}\nobjectClass: inetOrgPerson\nuid: {person.uid}\nsn: {person.uid}\n"
            f"cn: {person.name or person.uid}\n{mail}userPassword: {PASSPHRASE}\n"
        )
    for group in sorted({group for person in people for group in person.groups}):
        members = "".join(f"member: {person.dn}\n" for person in people if group in person.groups)
        yield f"dn: cn={group},{GROUPS}\nobjectClass: groupOfNames\ncn: {group}\n{members}"
