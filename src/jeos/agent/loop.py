"""One epoll loop: calls back when a descriptor is ready or a time has come, and sleeps for ever otherwise.

Edge-triggered watching exists for the virtio port: while nobody listens on the host, the port is for ever "hung up",
and only an edge says that this changed. Anything else is watched level-triggered.
"""

import os
import select
import signal
import time
from collections.abc import Callable

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
HANGUP = select.EPOLLHUP | select.EPOLLERR
EDGE = select.EPOLLET


class Loop:
    """Descriptors and timers of one process."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, tuple[int, Callable[[int], None]]] = {}
        self._timers: dict[object, tuple[float, Callable[[], None]]] = {}
        self._signals: dict[int, Callable[[], None]] = {}
        self._running = False

    def watch(self, descriptor: int, events: int, call: Callable[[int], None]) -> None:
        """Call `call(events)` when the descriptor is ready; without events (0) it is left alone, hang-ups included."""
        known = self._watched.get(descriptor)
        if events == 0:
            self.forget(descriptor)
            return
        if known is None:
            self._epoll.register(descriptor, events)
        elif known[0] != events or events & EDGE:
            self._epoll.modify(descriptor, events)
        self._watched[descriptor] = (events, call)

    def forget(self, descriptor: int) -> None:
        """Stop watching a descriptor; do this before closing it."""
        if self._watched.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def at(self, owner: object, seconds: float, call: Callable[[], None]) -> None:
        """Call `call()` once, in `seconds`; an owner has one timer, and a new one replaces it."""
        self._timers[owner] = (time.monotonic() + seconds, call)

    def cancel(self, owner: object) -> None:
        """Drop an owner's timer, if it has one."""
        self._timers.pop(owner, None)

    def on_signal(self, number: int, call: Callable[[], None]) -> None:
        """Call `call()` from the loop, never in the middle of something else, when a signal comes."""
        if not self._signals:
            reading, writing = os.pipe()
            os.set_blocking(writing, False)
            signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
            self.watch(reading, READ, lambda events: self._serve_signals(reading))
        self._signals[number] = call
        signal.signal(number, lambda number, frame: None)

    def leave(self) -> None:
        """In a forked child: let signals do what they do by default, and not wake the parent's loop."""
        signal.set_wakeup_fd(-1)
        for number in self._signals:
            signal.signal(number, signal.SIG_DFL)

    def _serve_signals(self, reading: int) -> None:
        for number in set(os.read(reading, 4096)):
            call = self._signals.get(number)
            if call is not None:
                call()

    def stop(self) -> None:
        """Let `run` end after the present round."""
        self._running = False

    def run(self) -> None:
        """Serve until `stop` is called."""
        self._running = True
        while self._running:
            self.turn()

    def turn(self) -> None:
        """Wait for something to happen, and serve it."""
        for descriptor, events in self._epoll.poll(self._patience()):
            known = self._watched.get(descriptor)
            if known is not None:  # another call of this round may have closed it
                known[1](events)
        now = time.monotonic()
        for owner, (due, call) in list(self._timers.items()):
            if due <= now and self._timers.get(owner) == (due, call):
                del self._timers[owner]
                call()

    def _patience(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, min(due for due, _ in self._timers.values()) - time.monotonic())
