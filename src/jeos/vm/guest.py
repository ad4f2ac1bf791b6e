"""Talk to the agent of a running machine.

    with Guest(places.guest) as guest:
        guest.wait("healthy", deadline=60)
        program = guest.exec(["cat"], stdin=b"hello")
        program.status, program.stdout

A `Guest` is one connection to the relay and does one thing at a time. `Program` is the same for those who move the
bytes themselves, such as the command line.
"""

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jeos.core.closing import Closing
from jeos.core.errors import MachineError
from jeos.model.frames import (
    CHUNK,
    CONTROL,
    CREDIT,
    STDERR,
    STDIN,
    STDOUT,
    Decoder,
    Frame,
    Inflow,
    Outflow,
    control,
    credit,
    encode,
    granted,
    message,
)

READ_SIZE = 64 << 10
ANSWER_SECONDS = 30.0  # for an answer that needs no work; a guest under emulation is slow
ENTROPY = 64  # bytes for the guest's random numbers, twice what their generator holds
POLL_SECONDS = 0.05  # between looks for a machine's socket
PRESENT = ("starting", "unhealthy", "healthy")  # the states in which the agent answers


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program in the guest ended; `status` is 128 + the signal's number if `signal` ended it."""

    status: int
    signal: str = ""
    stdout: bytes = b""
    stderr: bytes = b""


@dataclass(frozen=True, slots=True)
class Terminal:
    """The size of a terminal, in characters."""

    rows: int
    columns: int


class Guest(Closing):
    """A connection to a machine's agent, through the relay of its supervisor."""

    def __init__(self, place: Path, *, deadline: float = ANSWER_SECONDS) -> None:
        """Connect to the relay at `place`; wait up to `deadline` seconds for it. Raises MachineError."""
        self.state: Mapping[str, object] = {}
        self._place = place
        self._decoder = Decoder()
        self._frames: list[Frame] = []
        self._channel = 0
        self._socket = _connect(place, until=time.monotonic() + deadline)

    def close(self) -> None:
        """End the connection; what it runs in the guest is hung up."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor that is readable when the guest has said something."""
        return self._socket.fileno()

    def wait(self, state: str, *, deadline: float) -> Mapping[str, object]:
        """Wait until the appliance is "starting" (its agent answers) or "healthy", and return the state event.

        Raises MachineError, with the agent's reasons, after `deadline` seconds.
        """
        wanted = PRESENT if state == "starting" else (state,)
        until = time.monotonic() + deadline
        while self.state.get("state") not in wanted:
            if not self._receive(until=until):
                raise self._late(state, deadline=deadline)
        return self.state

    def status(self, *, deadline: float = ANSWER_SECONDS) -> dict[str, object]:
        """Return what the agent knows about its guest. Raises MachineError if it does not answer."""
        return self._ask({"do": "status"}, deadline=deadline)[1]

    def health(self, *, deadline: float) -> dict[str, object]:
        """Have the health checks tried now, and return what they say. Raises MachineError if nothing comes."""
        return self._ask({"do": "health"}, deadline=deadline)[1]

    def poweroff(self, *, deadline: float = ANSWER_SECONDS) -> None:
        """Ask the guest to shut down; returns once it has begun. Raises MachineError if it does not answer."""
        self._ask({"do": "poweroff"}, deadline=deadline)

    def reboot(self, *, deadline: float = ANSWER_SECONDS) -> None:
        """Ask the guest to start again; returns once it has begun. Raises MachineError if it does not answer."""
        self._ask({"do": "reboot"}, deadline=deadline)

    def freeze(self, *, seconds: float, deadline: float) -> dict[str, object]:
        """Have the file systems frozen for up to `seconds`, after the hooks; returns once they are.

        Raises MachineError if they cannot be, or no answer comes within `deadline` seconds; then `thaw` them.
        """
        return self._ask({"do": "freeze", "seconds": seconds}, deadline=deadline)[1]

    def thaw(self, *, deadline: float = ANSWER_SECONDS) -> bool:
        """Have the file systems thawed, and return whether they were frozen until now. Raises MachineError."""
        return self._ask({"do": "thaw"}, deadline=deadline)[1].get("held") is True

    def usage(self, *, deadline: float = ANSWER_SECONDS) -> dict[str, object]:
        """Return what the guest counts that nobody else does: bytes `received` and `sent`. Raises MachineError."""
        return self._ask({"do": "usage"}, deadline=deadline)[1]

    def wake(self, *, deadline: float = ANSWER_SECONDS, **about: object) -> None:
        """Tell a guest that stood still what time it is, with other things that it must know before it goes on.

        Raises MachineError if it does not answer, or cannot do it.
        """
        until = time.monotonic() + deadline
        self.wait("starting", deadline=deadline)  # or what it is told would be the time before that
        request = {"do": "wake", "time": time.time(), "entropy": os.urandom(ENTROPY).hex(), **about}
        self._ask(request, deadline=max(0.0, until - time.monotonic()))

    def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: str = "",
        user: str = "",
        deadline: float | None = None,
    ) -> Ended:
        """Run a program in the guest to its end and return what it printed.

        Raises MachineError if it cannot be started, is lost, or has not ended after `deadline` seconds.
        """
        program = self.start(argv, env=env, cwd=cwd, user=user)
        printed = {STDOUT: bytearray(), STDERR: bytearray()}
        until = None if deadline is None else time.monotonic() + deadline
        waiting = memoryview(stdin)
        while True:
            waiting = waiting[program.write(bytes(waiting[:CHUNK])) :]
            if not waiting:
                program.end_input()
            ended = program.take(lambda stream, data: printed[stream].extend(data))
            if ended is not None:
                return Ended(ended.status, ended.signal, bytes(printed[STDOUT]), bytes(printed[STDERR]))
            if (not waiting or not program.may_write) and not self._receive(until=until):
                program.close()
                raise MachineError(f"{argv[0]} did not end within {deadline:g} s in the guest")

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str = "",
        user: str = "",
        terminal: Terminal | None = None,
        deadline: float = ANSWER_SECONDS,
    ) -> "Program":
        """Start a program in the guest and return it running; waits for the agent, should it not be there yet.

        Raises MachineError if it cannot be started, or if no agent answers within `deadline` seconds.
        """
        request: dict[str, object] = {
            "do": "exec",
            "argv": list(argv),
            "env": dict(env or {}),
            "cwd": cwd,
            "user": user,
        }
        if terminal is not None:
            request["tty"] = {"rows": terminal.rows, "columns": terminal.columns}
        channel, _ = self._ask(request, deadline=deadline)
        return Program(self, channel)

    def send(self, data: bytes) -> None:
        """Send encoded frames to the relay. Raises MachineError if it has gone."""
        try:
            self._socket.sendall(data)
        except OSError:
            raise self._gone() from None

    def take_frames(self, channel: int) -> list[Frame]:
        """Return the frames that have come on a channel so far."""
        found = [frame for frame in self._frames if frame.channel == channel]
        self._frames = [frame for frame in self._frames if frame.channel != channel]
        return found

    def receive(self) -> None:
        """Take in what the relay has sent; waits if there is nothing. Raises MachineError if the relay has gone."""
        self._receive(until=None)

    def _ask(self, request: dict[str, object], *, deadline: float) -> tuple[int, dict[str, object]]:
        """Open a channel with a request, and return it with the first answer.

        What the relay refused, because the agent had just gone, never reached a guest: it is asked again.
        """
        until = time.monotonic() + deadline
        while True:
            self.wait("starting", deadline=max(0.0, until - time.monotonic()))
            self._channel += 1
            self._send_request(self._channel, request)
            answer = self._answer(self._channel, until=until, what=str(request["do"]))
            if not answer.get("absent"):
                _raise_error(answer)
                return self._channel, answer

    def _send_request(self, channel: int, request: dict[str, object]) -> None:
        try:
            encoded = control(channel, request)
        except ValueError as error:
            raise MachineError(f"the request does not fit: {error}", hint="pass long input through a pipe") from None
        self.send(encoded)

    def _answer(self, channel: int, *, until: float, what: str) -> dict[str, object]:
        while True:
            for place, frame in enumerate(self._frames):
                if frame.channel == channel:
                    if frame.kind != CONTROL:  # or a hostile guest could fill our memory before it answers
                        raise MachineError("the guest's agent did not begin with an answer", hint="is it damaged?")
                    del self._frames[place]
                    return message(frame)
            if not self._receive(until=until):
                raise MachineError(f"the guest's agent did not answer to {what!r} in time", hint="see jeos logs")

    def _receive(self, *, until: float | None) -> bool:
        """Take in what the relay sends next; false if nothing comes in time."""
        wait = None if until is None else max(0.0, until - time.monotonic())
        ready, _, _ = select.select([self._socket], [], [], wait)
        if not ready:
            return False
        try:
            data = self._socket.recv(READ_SIZE)
        except OSError:
            data = b""
        if not data:
            raise self._gone()
        for frame in self._decoder.feed(data):
            event = message(frame) if frame.channel == 0 else {}
            if event.get("event") == "state":
                self.state = event
            if frame.channel:
                self._frames.append(frame)
        return True

    def _late(self, state: str, *, deadline: float) -> MachineError:
        now = self.state.get("state", "absent")
        reasons = self.state.get("reasons")
        lines = "".join(f"\n  {reason}" for reason in reasons) if isinstance(reasons, list) else ""
        wanted = "the guest's agent did not answer" if state == "starting" else f"the guest is {now}, not {state},"
        return MachineError(f"{wanted} after {deadline:.3g} s{lines}", hint="jeos logs shows what the machine printed")

    def _gone(self) -> MachineError:
        return MachineError("the machine stopped", hint="`jeos ls` shows why")


class Program:
    """A program that runs in the guest."""

    def __init__(self, guest: Guest, channel: int) -> None:
        self._guest = guest
        self._channel = channel
        self._outflow = Outflow()
        self._inflows = {STDOUT: Inflow(), STDERR: Inflow()}
        self._input_ended = False

    @property
    def may_write(self) -> int:
        """How many bytes of input there is credit for."""
        return 0 if self._input_ended else self._outflow.left

    def write(self, data: bytes) -> int:
        """Send as much input as there is credit for, and return how much that was."""
        part = data[: min(self.may_write, CHUNK)]
        if part:
            self._guest.send(encode(Frame(STDIN, self._channel, part)))
            self._outflow.spend(len(part))
        return len(part)

    def end_input(self) -> None:
        """Let the program read the end of its input."""
        if not self._input_ended:
            self._guest.send(encode(Frame(STDIN, self._channel)))
        self._input_ended = True

    def take(self, put: Callable[[int, bytes], object]) -> Ended | None:
        """Pass on what has come (`put(STDOUT or STDERR, data)`), and return how the program ended, if it has.

        Credit goes to the guest after `put` returns, so a slow `put` slows the program and nothing else.
        Raises MachineError if the program was lost.
        """
        for frame in self._guest.take_frames(self._channel):
            if frame.kind in self._inflows and frame.payload:
                put(frame.kind, frame.payload)
                self._give_credit(frame)
            elif frame.kind == CREDIT:
                self._outflow.grant(granted(frame)[1])
            elif frame.kind == CONTROL:
                said = message(frame)
                _raise_error(said)
                status = said.get("status")
                return Ended(status if isinstance(status, int) else 1, str(said.get("signal", "")))
        return None

    def signal(self, number: int) -> None:
        """Send a signal to the program's processes."""
        name = signal.Signals(number).name.removeprefix("SIG")
        self._guest.send(control(self._channel, {"do": "signal", "signal": name}))

    def resize(self, terminal: Terminal) -> None:
        """Tell the program that its terminal has another size."""
        size = {"rows": terminal.rows, "columns": terminal.columns}
        self._guest.send(control(self._channel, {"do": "resize", **size}))

    def close(self) -> None:
        """Hang the program up."""
        self._guest.send(control(self._channel, {"do": "close"}))

    def _give_credit(self, frame: Frame) -> None:
        inflow = self._inflows[frame.kind]
        if not inflow.receive(len(frame.payload)):
            raise MachineError("the guest's agent sent more than it may", hint="is the guest hostile?")
        due = inflow.release(len(frame.payload))
        if due:
            self._guest.send(credit(self._channel, frame.kind, due))


class StartError(MachineError):
    """A program could not be started in the guest; the exit code is what a shell would end with."""

    def __init__(self, message: str, *, status: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.exit_code = status


def _raise_error(answer: Mapping[str, object]) -> None:
    if answer.get("event") != "error":
        return
    words = str(answer.get("error", "the guest's agent failed"))
    if answer.get("lost"):
        raise MachineError(words, hint="try again when the guest is up: jeos ls")
    status = answer.get("status")
    raise StartError(words, status=status if isinstance(status, int) else 126)


def _connect(place: Path, *, until: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    while True:
        try:
            connection.connect(os.fspath(place))
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() >= until:
                connection.close()
                raise MachineError(f"no machine listens at {place}", hint="`jeos ls` says whether it runs") from None
        time.sleep(POLL_SECONDS)
