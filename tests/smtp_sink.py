"""A mail server that takes everything and sends nothing on (RFC 5321), for tests of mail that is sent."""

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Taken:
    """A message with its envelope."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes


@dataclass
class Sink:
    """Where it listens, and what came."""

    port: int = 0
    taken: list[Taken] = field(default_factory=list)


@contextmanager
def smtp_sink() -> Iterator[Sink]:
    """Listen on a free port of this machine."""
    sink = Sink()

    class Session(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            sender = ""
            recipients: list[str] = []
            self.say("220 sink")
            while line := self.rfile.readline().decode("latin-1").strip():
                verb, _, rest = line.partition(" ")
                if verb.upper() in ("EHLO", "HELO"):
                    self.say("250 sink")
                elif verb.upper() == "MAIL":
                    sender, recipients = _address(rest), []
                    self.say("250 ok")
                elif verb.upper() == "RCPT":
                    recipients.append(_address(rest))
                    self.say("250 ok")
                elif verb.upper() == "DATA":
                    self.say("354 go on")
                    data = self.body()
                    if data is None:
                        return
                    sink.taken.append(Taken(sender, tuple(recipients), data))
                    self.say("250 kept")
                elif verb.upper() == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

        def body(self) -> bytes | None:
            """Return a message; None if who sends it died before its end, and so has sent nothing."""
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line[1:] if line.startswith(b".") else line)
            return b"".join(lines) if line else None

        def finish(self) -> None:
            with contextlib.suppress(OSError):
                super().finish()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        server.daemon_threads = True
        sink.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield sink
        finally:
            server.shutdown()
            thread.join()


def _address(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]
