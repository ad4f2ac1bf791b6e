"""Start a machine once, on an overlay, and say whether a system came up: the proof that a converted disk boots.

    outcome = watch(machine, within=300)
    outcome.reached             # "login", "agent" or "port"; "" if nothing was, and `reason` says why
    outcome.console, outcome.screenshot

Up means that someone could work with it: a login prompt on the serial console or in the screen's text, the appliance's
agent that says "healthy", or a byte from a port. What consoles say of a start that failed ends the wait early. Nothing
is left when the watch ends, however it ends: the overlay is deleted, and QEMU dies with this process.
"""

import asyncio
import contextlib
import re
import subprocess
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jeos.core import files
from jeos.core.errors import JeosError, MachineError
from jeos.core.terminal import plain
from jeos.model.machine import Boot, Machine
from jeos.vm import disks, firmware, qmp, relay
from jeos.vm.launch import Launched, end_error, launch
from jeos.vm.places import Places
from jeos.vm.qmp import Qmp

SHORT = Path("/tmp")  # sockets lie here, because their paths must be short
PREFIX = "jeos-first-start-"
READ_SIZE = 64 << 10
CONSOLE_LIMIT = 4 << 20  # characters that are kept of a console; what comes first says why, so the rest is dropped
LOOK_SECONDS = 2.0  # between two looks at the screen, and between two tries of a port
SETTLE_SECONDS = 1.0  # after the prompt, so that the screenshot shows it
QUIT_SECONDS = 5.0
ANSWER_SECONDS = 5.0  # that a port has to say something

LOGIN = re.compile(r"(?m)^\S+ login: ?\Z|^\S+ login: (?=[\n\[])")  # a message of the kernel may follow it
FAILURES = (
    (re.compile(r"ALERT!\s+(\S+) does not exist"), "its initrd does not find the root file system {}"),
    # The line comes in pieces: its reason is all there when the line ends, or is longer than is told.
    (re.compile(r"Kernel panic - not syncing: ([^\r\n]{120}|[^\r\n]*(?=[\r\n]))"), "its kernel panics: {}"),
    (re.compile(r"Gave up waiting for root file system()"), "its initrd does not find the root file system"),
    (re.compile(r"(?:You are in (?=rescue|emergency)|Entering (?=emergency))(\w+) mode"), "it stops in its {} mode"),
    (re.compile(r"dracut-initqueue[^\r\n]*timeout - (starting timeout scripts)"), "its initrd waits for a disk: {}"),
    (re.compile(r"Entering rescue mode()\.\.\.|grub rescue>"), "its boot loader does not find its own files"),
    (re.compile(r"No bootable (device|option)"), "the firmware finds no {} to start"),
    (re.compile(r"failed to (load|start) Boot[0-9A-F]{4}.{0,400}UEFI Interactive Shell", re.DOTALL), "nothing starts"),
)
# Where PC hardware keeps the characters of a text screen, each with a byte of colour behind it. Source: IBM VGA,
# "Alphanumeric modes"; QEMU's standard VGA has them there, too, until a driver of the guest switches to graphics.
TEXT_AT, TEXT_COLUMNS, TEXT_ROWS = 0xB8000, 80, 25


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a first start came to; `screenshot` is a PNG, or empty where there is none; `seconds` are wall time."""

    reached: str
    reason: str
    console: str
    screen: str = ""
    screenshot: bytes = b""
    seconds: float = 0.0
    accelerator: str = ""


def watch(
    machine: Machine,
    *,
    within: float,
    folder: Path = SHORT,
    values: Mapping[str, str] | None = None,
    nvram: bytes = b"",
    health: bool = False,
) -> Outcome:
    """Start a machine on overlays in a new folder inside of `folder`, and wait up to `within` seconds for it to be up.

    A port that is to be tried is one of the machine's forwards. The machine's disks are not written to, nor is it
    among those that `jeos ls` shows. `values` are those of its properties, and `nvram` the firmware's variables, if
    they fit. With `health`, nothing but the agent's word that all health checks hold counts as up.
    Raises MachineError if QEMU does not start or ends, HostError where it is missing.
    """
    with (
        files.temporary_folder(folder, prefix=PREFIX) as work,
        files.temporary_folder(SHORT, prefix=PREFIX) as sockets,
    ):
        places = Places(name=machine.name, folder=work, runtime=sockets)
        template = firmware.find().variables if machine.boot is Boot.FIRMWARE else None
        disks.create(machine, places, nvram=template)
        if nvram and template is not None and template.stat().st_size == len(nvram):
            files.write(places.nvram, nvram, mode=0o600, durable=False)
        for name, value in (values or {}).items():
            files.write(places.credentials / name, value, mode=0o600, durable=False)
        return asyncio.run(_Watch(machine, places, health=health).run(within=within))


def verdict(console: str, *, screen: str = "") -> tuple[str, str]:
    """Return what consoles tell: ("login", ""), ("", why it failed), or ("", "") while that is open."""
    for text in (console, screen):
        if LOGIN.search(text):
            return "login", ""
    for text in (console, f"{screen}\n"):  # what stands on a screen is there whole
        for pattern, meaning in FAILURES:
            found = pattern.search(text)
            if found:
                return "", meaning.format(found[1])
    return "", ""


def screen_text(memory: bytes) -> str:
    """Return the characters of a text screen's memory; "" if it holds anything else."""
    characters = memory[0 : TEXT_COLUMNS * TEXT_ROWS * 2 : 2]
    rows = [characters[at : at + TEXT_COLUMNS] for at in range(0, len(characters), TEXT_COLUMNS)]
    lines = [row.decode("cp437").replace("\0", " ").rstrip() for row in rows]
    return plain("\n".join(lines)).rstrip() if any(lines) else ""


@dataclass
class _Watch:
    """One start, while it is watched."""

    machine: Machine
    places: Places
    health: bool = False
    console: str = ""
    screen: str = ""
    reached: str = ""
    reason: str = ""
    doubts: str = ""  # what the agent said last of why it is not healthy
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, *, within: float) -> Outcome:
        began = time.monotonic()
        launched = launch(self.machine, self.places)
        control: Qmp | None = None
        tasks: list[asyncio.Task[None]] = []
        try:
            control = await self._greet(launched)
            tasks = [asyncio.create_task(task) for task in self._watchers(launched, control)]
            await self._wait(tasks[0], launched, within=within)
            seconds = time.monotonic() - began
            screenshot = await self._screenshot(control)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await _end(launched, control)
        return Outcome(
            self.reached, self.reason, self.console, self.screen, screenshot, seconds, launched.accelerator.kind
        )

    async def _greet(self, launched: Launched) -> Qmp:
        try:
            return await qmp.connect(launched.qmp)
        except MachineError as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = launched.process.wait(timeout=QUIT_SECONDS)
                raise end_error(self.machine, self.places, status, starting=launched) from error
            raise

    def _watchers(self, launched: Launched, control: Qmp) -> list[Coroutine[object, object, None]]:
        ports = [self._try_port(one.address, one.host) for one in launched.network.forwards if one.protocol == "tcp"]
        return [
            self._read_console(launched),
            self._look_at_screen(control),
            relay.serve(self.places.port, self.places.guest, on_event=self._hear_agent, vsock=launched.vsock),
            *ports,
        ]

    async def _wait(self, console: "asyncio.Task[None]", launched: Launched, *, within: float) -> None:
        waiting = asyncio.create_task(self.done.wait())
        await asyncio.wait({waiting, console}, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self.done.is_set():
            return
        if console.done() and launched.process.poll() is not None:
            raise end_error(self.machine, self.places, launched.process.wait())
        missed = "the health checks did not hold" if self.health else "no login prompt, agent or port was there"
        self.reason = f"{missed} within {within:g} s{self.doubts}"

    def _settle(self, reached: str, reason: str = "") -> None:
        if not self.done.is_set():
            self.reached, self.reason = reached, reason
            self.done.set()

    def _judge(self) -> None:
        reached, reason = verdict(self.console, screen=self.screen)
        if (reached and not self.health) or reason:
            self._settle(reached, reason)

    async def _read_console(self, launched: Launched) -> None:
        """Read the serial console until QEMU ends."""
        launched.console.setblocking(False)
        loop = asyncio.get_running_loop()
        raw = b""
        while data := await loop.sock_recv(launched.console, READ_SIZE):
            if len(raw) < CONSOLE_LIMIT:
                raw += data
                self.console = plain(raw.decode(errors="replace"))
                self._judge()

    async def _look_at_screen(self, control: Qmp) -> None:
        """Read what stands on the screen while it is in text mode."""
        path = self.places.work / "screen.bin"
        size = TEXT_COLUMNS * TEXT_ROWS * 2
        while True:
            with contextlib.suppress(JeosError, OSError):
                await control.execute("pmemsave", {"val": TEXT_AT, "size": size, "filename": str(path)})
                self.screen = screen_text(path.read_bytes())
                self._judge()
            await asyncio.sleep(LOOK_SECONDS)

    def _hear_agent(self, said: Mapping[str, object]) -> None:
        reasons = said.get("reasons")
        lines = [str(reason) for reason in reasons] if isinstance(reasons, list) else []
        self.doubts = f": {'; '.join(lines)}" if lines else ""
        if said.get("state") == "healthy":
            self._settle("agent")
        elif said.get("state") == "unhealthy" and self.health:
            self._settle("", f"the health checks do not hold{self.doubts}")

    async def _try_port(self, address: str, port: int) -> None:
        """Connect until the guest says something. That a connection stands proves nothing: QEMU takes it."""
        while True:
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                reader, writer = await asyncio.open_connection(address, port)
                try:
                    writer.write(b"GET / HTTP/1.0\r\n\r\n")  # what no banner greets may answer this
                    if await asyncio.wait_for(reader.read(1), timeout=ANSWER_SECONDS):
                        self._settle("port")
                finally:
                    writer.close()
            await asyncio.sleep(LOOK_SECONDS)

    async def _screenshot(self, control: Qmp) -> bytes:
        """Return the screen as a PNG; empty for a machine without one, or a QEMU that writes none."""
        if not self.machine.foreign:
            return b""
        await asyncio.sleep(SETTLE_SECONDS)
        path = self.places.work / "screen.png"
        with contextlib.suppress(MachineError, OSError):
            await control.execute("screendump", {"filename": str(path), "format": "png"})
            return path.read_bytes()
        return b""


async def _end(launched: Launched, control: Qmp | None) -> None:
    """End QEMU, in order where it still listens, and all that serves it."""
    if control is not None:
        with contextlib.suppress(JeosError, asyncio.TimeoutError):
            await asyncio.wait_for(control.quit(), timeout=QUIT_SECONDS)
        await control.close()
    for process in (launched.process, *launched.helpers):
        if process.poll() is None:
            process.kill()
        process.wait()
    launched.console.close()
    launched.qmp.close()
    if launched.vsock is not None:
        launched.vsock.close()
