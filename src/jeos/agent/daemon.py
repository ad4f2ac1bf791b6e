"""The agent's daemon: serves the host over the channel, and tells it how the appliance is.

    {"do": "exec", …}            a program, see `session`
    {"do": "status"}             what `jeos-agent status` shows
    {"do": "health"}             the checks, tried once now
    {"do": "freeze", "seconds": 10}, {"do": "thaw"}      see `freeze`
    {"do": "usage"}              bytes over the network, see `network`
    {"do": "wake", …}            the guest stood still, see `wake`
    {"do": "poweroff"}, {"do": "reboot"}

Events go up on channel 0 when they happen and when a host appears: `{"event": "state", "state": "starting", …}`.
Once the appliance's health is decided, the daemon sleeps until somebody wants something.
"""

import errno
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from jeos.agent import console, health, resolver, status, vsock
from jeos.agent.appliance import Appliance
from jeos.agent.local import Answer, Local
from jeos.agent.loop import READ, Loop
from jeos.agent.network import traffic
from jeos.agent.port import Port
from jeos.agent.process import StartError
from jeos.agent.session import Session
from jeos.model.frames import CONTROL, CREDIT, STDIN, Frame, control, message

if TYPE_CHECKING:
    from jeos.agent.freeze import Freezer

MOST_SESSIONS = 32  # programs at once; each may hold a window of input in memory
POWER = {"poweroff": ("systemctl", "--no-block", "poweroff"), "reboot": ("systemctl", "--no-block", "reboot")}
PORT_SECONDS = 60.0  # after the agent's start, until the host's port must have been found
PORT_POLL = 0.1  # seconds; the driver of the port is loaded while the agent starts
VSOCK_SECONDS = 10.0  # that the driver of vsock may take, before the port is taken although the host has vsock
FREEZE_SECONDS = 10  # that file systems stay frozen at most, unless the host says
STOPPING = "stopping"  # the state after SIGTERM: the guest shuts down, or the agent is restarted
LONGEST_WORDS = 1000  # characters of an error: what it quotes may be as long as a frame


class Daemon:
    """One agent: the port to the host, the programs it runs, and what it knows of the appliance's health."""

    def __init__(
        self,
        *,
        appliance: Appliance,
        power: Mapping[str, Sequence[str]] = POWER,
        consoles: Sequence[str] = (),
        ends_with_port: bool = False,
    ) -> None:
        self.loop = Loop()
        self._appliance = appliance
        self._power = power
        self._consoles = consoles
        self._ends_with_port = ends_with_port
        self._sessions: dict[int, Session] = {}
        self._verdict = health.Verdict(health.STARTING)
        self._shown = ""
        self._port: Port | None = None
        self._over_vsock = False
        self._freezer: Freezer | None = None

    def attach(self, descriptor: int) -> None:
        """Serve the host on a descriptor from now on."""
        self._port = Port(
            self.loop,
            descriptor,
            on_frame=self._serve,
            on_link=self._tell_state,
            on_reset=self._hang_up_all,
            on_room=self._refresh_all,
            on_end=self._port_ended,
        )

    def await_port(self, place: str, *, seconds: float = PORT_SECONDS) -> None:
        """Serve the host over vsock, or on a device, as soon as it is there; without either, it is given up on."""
        self._place = place
        try:
            self.attach(self._open_way(place, waited=PORT_SECONDS - seconds))
        except OSError:
            if seconds > 0:
                self.loop.at(self, PORT_POLL, lambda: self.await_port(place, seconds=seconds - PORT_POLL))

    def _open_way(self, place: str, *, waited: float) -> int:
        """Return a line to the host. Raises OSError while there is none, or a better one may come."""
        host_port = vsock.port()
        if host_port:
            try:
                line = vsock.call(host_port)
            except OSError as error:  # without a driver, the kernel says that there is no such device
                if error.errno == errno.ENODEV and waited < VSOCK_SECONDS:
                    raise
            else:
                self._over_vsock = True
                return line
        return os.open(place, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def listen(self, place: str) -> None:
        """Serve requests of the guest itself on a socket."""
        self._local = Local(self.loop, place=place, serve=self._serve_local)

    def watch_network(self) -> None:
        """Keep resolv.conf, and the addresses on the consoles, up to date."""

        def changed() -> None:
            resolver.update()
            if self._verdict.state != health.STARTING:
                self.show()

        resolver.watch(self.loop, changed)

    def watch_health(self) -> None:
        """Find out in a child whether the appliance is well, and tell the host of each change."""

        def work(report: Callable[[Mapping[str, object]], None]) -> None:
            def tell(verdict: health.Verdict) -> None:
                report({"state": verdict.state, "reasons": verdict.reasons})

            health.watch(self._checks(), attempt=health.attempt, report=tell)

        self.child(work, on_report=self._learn)

    def check_health(self, answer: Answer) -> None:
        """Try the checks once, now, and answer with what they say."""

        def work(report: Callable[[Mapping[str, object]], None]) -> None:
            settled = self._verdict.state != health.STARTING
            verdict = health.check_once(self._checks(), attempt=health.attempt, settled=settled)
            report({"state": verdict.state, "reasons": verdict.reasons})

        def learn(said: Mapping[str, object]) -> None:
            self._learn(said)
            answer({"event": "health", **said})

        self.child(work, on_report=learn)

    def _checks(self) -> list[dict[str, object]]:
        own = self._appliance
        return health.complete(own.health, ports=bool(own.ports), properties=bool(own.properties))

    def describe(self) -> dict[str, object]:
        """Return what the agent knows about this guest."""
        return status.describe(self._appliance, self._verdict)

    def show(self) -> None:
        """Put the status screen on the consoles, if it has changed since."""
        text = console.screen(self.describe())
        if text != self._shown:
            self._shown = text
            console.put(text, self._consoles)

    def child(
        self,
        work: Callable[[Callable[[Mapping[str, object]], None]], None],
        *,
        on_report: Callable[[Mapping[str, object]], None],
    ) -> None:
        """Do blocking work in a forked child, which reports objects as lines of JSON; its memory goes with it."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                self.loop.leave()
                work(lambda said: _write_all(writing, json.dumps(said).encode() + b"\n"))
            except BaseException as error:
                sys.excepthook(type(error), error, error.__traceback__)
            finally:
                os._exit(0)
        os.close(writing)
        pending = b""

        def read(events: int) -> None:
            nonlocal pending
            data = os.read(reading, 65536)
            *lines, pending = (pending + data).split(b"\n")
            if not data:
                self.loop.forget(reading)
                os.close(reading)
                os.waitpid(pid, 0)
            for line in lines:
                on_report(json.loads(line))

        self.loop.watch(reading, READ, read)

    def say_goodbye(self) -> None:
        """Tell the host that the agent ends, so that it expects nothing until the next one; then end."""
        self._verdict = health.Verdict(STOPPING)
        self._tell_state()
        self.loop.stop()

    def _learn(self, said: Mapping[str, object]) -> None:
        reasons = said.get("reasons")
        self._verdict = health.Verdict(str(said.get("state")), reasons if isinstance(reasons, list) else [])
        self._tell_state()
        if self._verdict.state != health.STARTING:
            self.show()

    def _send(self, encoded: bytes) -> None:
        if self._port is not None:
            self._port.send(encoded)

    def _tell_state(self) -> None:
        state = {"event": "state", "state": self._verdict.state, "reasons": self._verdict.reasons}
        about = {"name": self._appliance.name, "version": self._appliance.version, "boot": status.boot_id()}
        self._send(control(0, {**state, **about}))

    def _serve(self, frame: Frame) -> None:
        session = self._sessions.get(frame.channel)
        if frame.kind == CONTROL:
            self._request(frame.channel, message(frame), session)
        elif frame.kind in (STDIN, CREDIT) and session is not None and not session.receive(frame):
            self._fail(frame.channel, "more input than there was credit for")
            self._hang_up(session)

    def _request(self, channel: int, request: Mapping[str, object], session: Session | None) -> None:
        do = request.get("do")
        if session is not None:
            if do == "close":
                self._hang_up(session)
            else:
                session.command(request)
        elif do == "exec":
            self._exec(channel, request)
        elif do == "status":
            self._send(control(channel, {"event": "status", **self.describe()}))
        elif do == "health":
            self.check_health(lambda said: self._send(control(channel, dict(said))))
        elif do in ("freeze", "thaw"):
            self._freeze_or_thaw(channel, request)
        elif do == "usage":
            self._send(control(channel, {"event": "usage", **traffic()}))
        elif do == "wake":
            self._wake(channel, request)
        elif isinstance(do, str) and do in self._power:
            self._send(control(channel, {"event": do}))
            self._run_quietly(self._power[do])
        elif do not in ("close", "signal", "resize"):  # these three may come too late for their program
            self._fail(channel, f"the agent does not know the request {do!r}")

    def _freeze_or_thaw(self, channel: int, request: Mapping[str, object]) -> None:
        from jeos.agent.freeze import Freezer  # memory that guests which nobody backs up need not give

        self._freezer = self._freezer or Freezer(self.loop)

        def answer(said: Mapping[str, object]) -> None:
            self._send(control(channel, dict(said)))

        seconds = request.get("seconds", FREEZE_SECONDS)
        if request.get("do") == "thaw":
            self._freezer.thaw(answer=answer)
        elif isinstance(seconds, int | float) and seconds > 0:
            self._freezer.freeze(seconds=seconds, answer=answer)
        else:
            self._fail(channel, f"a file system cannot be frozen for {seconds!r} seconds")

    def _wake(self, channel: int, request: Mapping[str, object]) -> None:
        from jeos.agent import wake  # memory that guests which never stand still need not give

        def learn(said: Mapping[str, object]) -> None:
            if said.get("wrong"):
                self._fail(channel, f"the guest could not be woken: {said['wrong']}", status=1)
            else:
                self._send(control(channel, {"event": "woken"}))

        def work(report: Callable[[Mapping[str, object]], None]) -> None:
            report({"wrong": wake.wake(request)})

        if wake.slow(request):
            self.child(work, on_report=learn)
        else:
            work(learn)

    def _serve_local(self, request: Mapping[str, object], answer: Answer) -> None:
        if request.get("do") == "health":
            self.check_health(answer)
        else:
            if request.get("do") == "show":
                self.show()
            answer({"event": "status", **self.describe()})

    def _exec(self, channel: int, request: Mapping[str, object]) -> None:
        if channel == 0 or len(self._sessions) >= MOST_SESSIONS:
            self._fail(channel, f"the agent runs {len(self._sessions)} programs already, the most it can")
            return
        assert self._port is not None  # the request came through it
        session = Session(self.loop, self._port, channel, on_end=self._forget)
        try:
            session.start(request)
        except StartError as error:
            self._fail(channel, str(error), status=error.status)
            return
        self._sessions[channel] = session

    def _fail(self, channel: int, words: str, *, status: int = 126) -> None:
        self._send(control(channel, {"event": "error", "error": words[:LONGEST_WORDS], "status": status}))

    def _forget(self, session: Session) -> None:
        if self._sessions.get(session.channel) is session:
            del self._sessions[session.channel]

    def _hang_up(self, session: Session) -> None:
        self._forget(session)
        session.hang_up()

    def _hang_up_all(self) -> None:
        for session in list(self._sessions.values()):
            self._hang_up(session)

    def _refresh_all(self) -> None:
        for session in list(self._sessions.values()):
            session.refresh()

    def _port_ended(self) -> None:
        if self._ends_with_port:
            self.loop.stop()
        if self._over_vsock:
            vsock.note_loss()
            self._over_vsock = False
            self.loop.at(self, 0, self._change_over)

    def _change_over(self) -> None:
        """Leave the vsock, which was lost, for the port."""
        assert self._port is not None
        self._port.close()
        self.await_port(self._place)

    def _run_quietly(self, argv: Sequence[str]) -> None:
        def work(report: Callable[[Mapping[str, object]], None]) -> None:
            report({"said": health.try_command(argv, seconds=60.0)})

        def learn(said: Mapping[str, object]) -> None:
            if said["said"]:
                console.put(f"{argv[0]} failed: {said['said']}\n", self._consoles)

        self.child(work, on_report=learn)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
