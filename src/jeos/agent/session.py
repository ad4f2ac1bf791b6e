"""One program that the host runs in the guest: its streams go over one channel, within their windows.

host                                    guest
{"do": "exec", "argv": […], …}     →
                                   ←    {"event": "started", "pid": 812}
STDIN …, then an empty one         →
                                   ←    STDOUT …, STDERR …
{"do": "signal", "signal": "TERM"} →
                                   ←    {"event": "exit", "status": 0} or {"event": "exit", "signal": "TERM"}
"""

import errno
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

from jeos.agent.loop import READ, WRITE, Loop
from jeos.agent.port import Port
from jeos.agent.process import StartError, account, environment, set_window, start
from jeos.model.frames import CHUNK, STDERR, STDIN, STDOUT, Frame, Inflow, Outflow, control, credit, encode, granted

LINGER = 0.2  # seconds that output is waited for when a program has ended but something it left still holds its output
END_OF_INPUT = b"\x04"  # what ends the input of a terminal


class Output:
    """A descriptor that a program writes into, and how much of it the host takes."""

    __slots__ = ("descriptor", "flow", "stream")

    def __init__(self, stream: int, descriptor: int) -> None:
        self.stream = stream
        self.descriptor = descriptor
        self.flow = Outflow()


class Session:
    """A running program; `on_end` is called once it has ended and all is said."""

    def __init__(self, loop: Loop, port: Port, channel: int, *, on_end: "Callable[[Session], None]") -> None:
        self.channel = channel
        self._loop = loop
        self._port = port
        self._on_end = on_end
        self._outputs: dict[int, Output] = {}
        self._input = -1
        self._terminal = -1
        self._pending: deque[bytes] = deque()
        self._inflow = Inflow()
        self._input_ends = False
        self._pid = 0
        self._handle = -1  # a pidfd: readable when the program has ended
        self._status: int | None = None
        self._attached = True

    def start(self, request: Mapping[str, object]) -> None:
        """Start the program that a request describes. Raises StartError if the request or the program is wrong."""
        argv = _texts(request, "argv")
        if not argv:
            raise StartError("the request names no program")
        user = account(str(request.get("user", "")))
        cwd = str(request.get("cwd", ""))
        env = environment(user, _environment(request))
        size = request.get("tty")
        theirs = self._open_terminal(size) if isinstance(size, dict) else self._open_pipes()
        try:
            self._pid = start(argv, user=user, env=env, cwd=cwd, descriptors=theirs, terminal=self._terminal >= 0)
        except (OSError, ValueError, StartError) as error:
            self._close()
            raise error if isinstance(error, StartError) else StartError(f"cannot start {argv[0]!r}: {error}") from None
        finally:
            for descriptor in set(theirs):
                os.close(descriptor)
        self._handle = os.pidfd_open(self._pid)
        self._loop.watch(self._handle, READ, self._ended)
        self._say({"event": "started", "pid": self._pid})
        self.refresh()

    def receive(self, frame: Frame) -> bool:
        """Take bytes or credit from the host; false if it broke the rules."""
        if frame.kind == STDIN:
            return self._receive_input(frame.payload)
        stream, count = granted(frame)
        for output in self._outputs.values():
            if output.stream == stream:
                output.flow.grant(count)
                self.refresh()
        return True

    def command(self, request: Mapping[str, object]) -> None:
        """Do what the host asks of a running program: a signal, or another size of its terminal."""
        if request.get("do") == "signal":
            self._signal(str(request.get("signal", "")))
        elif request.get("do") == "resize" and self._terminal >= 0:
            self._resize(request)

    def refresh(self) -> None:
        """Watch exactly the descriptors that can move something now."""
        wanted: dict[int, int] = {}
        for output in self._outputs.values():
            if output.flow.left > 0 and not self._port.busy:
                wanted[output.descriptor] = READ
        if self._input >= 0 and self._pending:
            wanted[self._input] = wanted.get(self._input, 0) | WRITE
        for descriptor in {self._input, *self._outputs} - {-1}:
            self._loop.watch(descriptor, wanted.get(descriptor, 0), self._mover(descriptor))
        if self._status is not None and self._outputs and not self._port.busy:
            self._loop.at(self, LINGER, self._give_up)

    def hang_up(self) -> None:
        """Let go of a program whose client has gone: it gets SIGHUP, as from a closed terminal."""
        self._attached = False
        self._send_signal(signal.SIGHUP)
        self._send_signal(signal.SIGCONT)
        self._loop.cancel(self)
        self._close()
        if self._status is not None:
            self._finish()

    def _open_pipes(self) -> tuple[int, int, int]:
        input_read, self._input = os.pipe()
        output, output_write = os.pipe()
        errors, errors_write = os.pipe()
        self._outputs = {output: Output(STDOUT, output), errors: Output(STDERR, errors)}
        for descriptor in (self._input, output, errors):
            os.set_blocking(descriptor, False)
        return input_read, output_write, errors_write

    def _open_terminal(self, size: Mapping[str, object]) -> tuple[int, int, int]:
        ours, theirs = os.openpty()
        self._terminal = self._input = ours
        self._outputs = {ours: Output(STDOUT, ours)}
        self._resize(size)
        os.set_blocking(ours, False)
        return theirs, theirs, theirs

    def _resize(self, size: Mapping[str, object]) -> None:
        rows, columns = size.get("rows"), size.get("columns")
        if isinstance(rows, int) and isinstance(columns, int) and rows > 0 and columns > 0:
            set_window(self._terminal, rows=rows, columns=columns)

    def _receive_input(self, data: bytes) -> bool:
        if self._input_ends:
            return True  # late bytes of a stream that has ended have nowhere to go
        if not self._inflow.receive(len(data)):
            return False
        if data:
            self._pending.append(data)
        else:
            self._input_ends = True
            if self._terminal >= 0:
                self._inflow.receive(len(END_OF_INPUT))
                self._pending.append(END_OF_INPUT)
        self._pour()
        return True

    def _mover(self, descriptor: int) -> Callable[[int], None]:
        return lambda events: self._move(descriptor, events)

    def _move(self, descriptor: int, events: int) -> None:
        """Move what can be moved through a ready descriptor."""
        output = self._outputs.get(descriptor)
        if output is not None and events & ~WRITE and output.flow.left > 0 and not self._port.busy:
            self._drain(output)
        if descriptor == self._input and events & ~READ:
            self._pour()

    def _drain(self, output: Output) -> None:
        """Send one frame of a program's output."""
        try:
            data = os.read(output.descriptor, min(CHUNK, output.flow.left))
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:  # how a terminal says that nobody has it open any more
                raise
            data = b""
        output.flow.spend(len(data))
        if self._attached:
            self._port.send(encode(Frame(output.stream, self.channel, data)))
        if not data:
            self._close_output(output.descriptor)
        self.refresh()
        if self._status is not None and not self._outputs:
            self._finish()

    def _pour(self) -> None:
        """Write what waits for the program's input, and give the host credit for it."""
        used = 0
        while self._pending:
            data = self._pending[0]
            try:
                count = os.write(self._input, data) if self._input >= 0 else len(data)
            except BlockingIOError:
                break
            except OSError:
                self._close_input()  # the program takes no more; the host's bytes go nowhere, at full speed
                count = len(data)
            used += count
            self._pending.popleft()
            if count < len(data):
                self._pending.appendleft(data[count:])
        due = self._inflow.release(used)
        if due:
            self._port.send(credit(self.channel, STDIN, due))
        if self._input_ends and not self._pending and self._terminal < 0:
            self._close_input()
        self.refresh()

    def _ended(self, events: int) -> None:
        self._loop.forget(self._handle)
        os.close(self._handle)
        _, self._status = os.waitpid(self._pid, 0)
        if self._outputs and self._attached:
            self.refresh()
        else:
            self._finish()

    def _give_up(self) -> None:
        """Stop waiting for output that something else than the program still holds open, unless the host is slow."""
        if all(output.flow.left > 0 for output in self._outputs.values()) and not self._port.busy:
            self._finish()

    def _finish(self) -> None:
        self._loop.cancel(self)
        self._close()
        if self._attached and self._status is not None:
            self._say(describe_exit(self._status))
        self._on_end(self)

    def _say(self, message: dict[str, object]) -> None:
        self._port.send(control(self.channel, message))

    def _signal(self, name: str) -> None:
        number = getattr(signal, f"SIG{name}", None)
        if isinstance(number, signal.Signals):
            self._send_signal(number)

    def _send_signal(self, number: int) -> None:
        """Send a signal to all processes of the program's group; after its end its number may be another's."""
        if self._pid and self._status is None:
            with suppress(ProcessLookupError):
                os.killpg(self._pid, number)

    def _close_output(self, descriptor: int) -> None:
        del self._outputs[descriptor]
        if descriptor == self._input:
            self._input = self._terminal = -1
        self._loop.forget(descriptor)
        os.close(descriptor)

    def _close_input(self) -> None:
        if self._input >= 0 and self._terminal < 0:
            self._loop.forget(self._input)
            os.close(self._input)
        self._input = -1

    def _close(self) -> None:
        self._close_input()
        for descriptor in list(self._outputs):
            self._close_output(descriptor)
        self._pending.clear()


def describe_exit(status: int) -> dict[str, object]:
    """Return the event for a wait status."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name.removeprefix("SIG")
        except ValueError:
            name = str(number)  # a real-time signal
        return {"event": "exit", "status": 128 + number, "signal": name}
    return {"event": "exit", "status": os.WEXITSTATUS(status)}


def _texts(request: Mapping[str, object], key: str) -> list[str]:
    value = request.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and "\0" not in item for item in value):
        raise StartError(f"{key} must be a list of texts")
    return value


def _environment(request: Mapping[str, object]) -> dict[str, str]:
    value = request.get("env", {})
    if not isinstance(value, dict):
        raise StartError("env must be an object of texts")
    for name, text in value.items():
        if not name or "=" in name or not isinstance(text, str) or "\0" in name + text:
            raise StartError(f"the environment variable {name!r} is not a text")
    return value
