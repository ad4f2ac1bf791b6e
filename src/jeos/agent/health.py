"""Tell whether the appliance is well, by the checks that its recipe names.

A check holds or it has a reason. All checks together are decided by `judge`, without any I/O: healthy once each has
held, unhealthy once one has not held `within` its time after boot, and undecided (starting) in between. An appliance
without checks is well when systemd says that the system is running; one with properties also needs them to be right,
and one with ports an address, if the machine has a network card: checks run inside, and would not miss it.

`watch` runs in a process of its own that ends when the matter is decided: afterwards nothing polls.
"""

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from jeos.agent.appliance import RUN, number, text
from jeos.agent.network import CARDS, lacking

STARTING = "starting"
HEALTHY = "healthy"
UNHEALTHY = "unhealthy"
TIMEOUT = 10.0  # seconds for one try; these three are the defaults of jeos.model.recipe.Health
INTERVAL = 2.0  # seconds between tries
WITHIN = 120.0  # seconds after boot until a check must hold
SYSTEM: "dict[str, object]" = {"name": "system", "unit": ""}  # the check of an appliance without checks
PROPERTIES: "dict[str, object]" = {"name": "properties", "properties": RUN}  # of one that has properties
NETWORK: "dict[str, object]" = {"name": "network", "network": CARDS, "interval": 0.5}  # of one that has ports
REASON_LENGTH = 200  # characters of a reason, and of a program's last words
MOST_REASONS = 40  # so that a report fits a frame, with six bytes for each character


class Verdict:
    """What is known about the appliance's health, with a reason for each check that does not hold."""

    __slots__ = ("reasons", "state")

    def __init__(self, state: str, reasons: Sequence[str] = ()) -> None:
        self.state = state
        self.reasons = list(reasons)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Verdict) and (self.state, self.reasons) == (other.state, other.reasons)

    __hash__ = None  # type: ignore[assignment]  # a value to compare, never a key

    def __repr__(self) -> str:
        return f"Verdict({self.state!r}, {self.reasons!r})"


Check = Mapping[str, object]
Try = Callable[[Check], str]  # returns the reason why a check does not hold, or ""


def complete(checks: "Sequence[dict[str, object]]", *, ports: bool, properties: bool) -> "list[dict[str, object]]":
    """Return the recipe's checks, or that of the whole system, with those that properties and ports bring along.

    The network has as long to come up as the most patient of the recipe's checks.
    """
    own = [*(checks or [SYSTEM]), *([PROPERTIES] if properties else [])]
    patience = max(number(check, "within", WITHIN) for check in own)
    return [*own, *([{**NETWORK, "within": patience}] if ports else [])]


def judge(checks: Sequence[Check], reasons: Mapping[int, str], *, uptime: float) -> Verdict:
    """Decide from the last try of each check (by its place; none yet if missing), `uptime` seconds after boot."""
    failing = [place for place in range(len(checks)) if reasons.get(place, "not tried yet")]
    if not failing:
        return Verdict(HEALTHY)
    words = [
        f"{text(checks[place], 'name', 'check')}: {reasons.get(place, 'not tried yet')}"[:REASON_LENGTH]
        for place in failing[:MOST_REASONS]
    ]
    late = any(uptime >= number(checks[place], "within", WITHIN) for place in failing)
    return Verdict(UNHEALTHY if late else STARTING, words)


def uptime() -> float:
    """Return the seconds since boot, as the kernel counts them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def check_once(checks: Sequence[Check], *, attempt: Try, settled: bool) -> Verdict:
    """Try each check once; what does not hold is unhealthy at once if the appliance's health was `settled` before."""
    age = float("inf") if settled else uptime()
    return judge(checks, {place: attempt(check) for place, check in enumerate(checks)}, uptime=age)


def watch(checks: Sequence[Check], *, attempt: Try, report: Callable[[Verdict], None]) -> Verdict:
    """Try the checks in turn until all have held or time is up, reporting each change; return the last verdict.

    A late success still counts: an unhealthy appliance is tried for as long again as it was given, and then left.
    """
    reasons: dict[int, str] = {}
    due = dict.fromkeys(range(len(checks)), 0.0)
    last = Verdict("")
    while due:
        place = min(due, key=lambda place: due[place])
        time.sleep(max(0.0, due[place] - time.monotonic()))
        reasons[place] = attempt(checks[place])
        due[place] = time.monotonic() + number(checks[place], "interval", INTERVAL)
        if not reasons[place] or uptime() >= 2 * number(checks[place], "within", WITHIN):
            del due[place]
        verdict = judge(checks, reasons, uptime=uptime())
        if verdict != last:
            report(verdict)
        last = verdict
    return last


def attempt(check: Check) -> str:
    """Try a check; return why it does not hold, or "" if it does."""
    seconds = number(check, "timeout", TIMEOUT)
    try:
        if text(check, "http", ""):
            return try_http(text(check, "http", ""), status=int(number(check, "status", 200)), seconds=seconds)
        if text(check, "tcp", ""):
            return try_tcp(text(check, "tcp", ""), seconds=seconds)
        if text(check, "command", ""):
            return try_command(["/bin/sh", "-c", text(check, "command", "")], seconds=seconds)
        if text(check, "network", ""):
            return lacking(text(check, "network", ""))
        if text(check, "properties", ""):
            return try_properties(text(check, "properties", ""))
        return try_unit(text(check, "unit", ""), seconds=seconds)
    except (OSError, ValueError) as error:
        return str(error)


def try_unit(unit: str, *, seconds: float) -> str:
    """Tell whether a systemd unit is active; without a name, whether the whole system is running."""
    if unit:
        return try_command(["systemctl", "is-active", "--", unit], seconds=seconds)
    return try_command(["systemctl", "is-system-running"], seconds=seconds)


def try_properties(folder: str) -> str:
    """Tell whether `jeos.agent.properties` found the operator's properties right and has written them."""
    try:
        with open(f"{folder}/properties.failed", encoding="utf-8") as file:
            return "; ".join(file.read().splitlines())
    except FileNotFoundError:
        return "" if os.path.exists(f"{folder}/properties.env") else "not taken yet"


def try_tcp(address: str, *, seconds: float) -> str:
    """Tell whether something listens at `HOST:PORT`, or at `PORT` of this machine."""
    host, _, port = address.rpartition(":")
    with connect(host.strip("[]"), int(port), seconds=seconds):
        return ""


def connect(host: str, port: int, *, seconds: float) -> socket.socket:
    """Return a connection to a port; an empty host is this machine.

    The name goes to the resolver as bytes: as text, Python would load its rules for international names first.
    """
    name = host.encode() or b"localhost"
    return socket.create_connection((name, port), timeout=seconds)  # type: ignore[arg-type]  # bytes are fine


def try_http(address: str, *, status: int, seconds: float) -> str:
    """Tell whether a GET of `http://HOST[:PORT]/PATH` (or `https`, any certificate) answers with a status.

    The request is HTTP/1.1 with `Connection: close` (RFC 9112); no redirect is followed.
    """
    scheme, host, port, path = split_address(address)
    deadline = time.monotonic() + seconds
    with connect(host, port, seconds=seconds) as plain:
        connection = _encrypt(plain) if scheme == "https" else plain
        name = f"[{host}]" if ":" in host else host
        request = f"GET {path} HTTP/1.1\r\nHost: {name}:{port}\r\nUser-Agent: jeos\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode("ascii", "backslashreplace"))
        answer = b""
        while b"\r\n" not in answer and len(answer) < 4096:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            data = connection.recv(4096)
            if not data:
                break
            answer += data
    words = answer.partition(b"\r\n")[0].split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return f"{address} did not answer in HTTP"
    return "" if int(words[1]) == status else f"{address} answered {int(words[1])} instead of {status}"


def _encrypt(plain: socket.socket) -> socket.socket:
    import ssl  # only appliances that ask themselves over https pay for it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the appliance asks itself: the name and the issuer prove nothing
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain)


def split_address(address: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port and path of a web address. Raises ValueError for another scheme or a bad port."""
    scheme, found, rest = address.partition("://")
    if not found:
        scheme, rest = "http", address
    if scheme not in ("http", "https"):
        raise ValueError(f"{address!r} is neither http nor https")
    place, slash, path = rest.partition("/")
    host, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        host, port = place, "443" if scheme == "https" else "80"
    return scheme, host.strip("[]") or "localhost", int(port), slash + path or "/"


def try_command(argv: Sequence[str], *, seconds: float) -> str:
    """Tell whether a command ends with status 0 in time; the reason is the last line that it printed."""
    output, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            null = os.open("/dev/null", os.O_RDONLY)
            for target, descriptor in enumerate((null, writing, writing)):
                os.dup2(descriptor, target)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execvp(argv[0], list(argv))
        except OSError as error:
            os.write(writing, f"{argv[0]}: {error.strerror}".encode())
        finally:
            os._exit(127)
    os.close(writing)
    handle = os.pidfd_open(pid)
    try:
        words, in_time = _collect(output, handle, seconds=seconds)
        if not in_time:
            os.killpg(pid, signal.SIGKILL)
    finally:
        os.close(output)
        os.close(handle)
        _, status = os.waitpid(pid, 0)
    if not in_time:
        return f"did not end within {seconds:g} s"
    code = os.waitstatus_to_exitcode(status)
    last = words.decode(errors="replace").strip().rpartition("\n")[2][-REASON_LENGTH:]
    return "" if code == 0 else (last or f"ended with status {code}")


def _collect(output: int, handle: int, *, seconds: float) -> tuple[bytes, bool]:
    """Return the end of what a process prints, and whether it ended in time."""
    deadline = time.monotonic() + seconds
    words = b""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.register(output, select.POLLIN)
    while True:
        ready = dict(poll.poll(max(0, int(1000 * (deadline - time.monotonic())))))
        if output in ready:
            data = os.read(output, 4096)
            words = (words + data)[-4096:]
            if not data:
                poll.unregister(output)
        elif handle in ready:
            return words, True
        if time.monotonic() >= deadline:
            return words, False
