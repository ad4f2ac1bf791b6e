"""One tree of errors; each class has the exit code that the command line ends with.

    JeosError             1   something failed
    ├ UsageError          2   the command line, or a name given on it, is wrong
    ├ InputError          3   a file that the user gave (recipe, lock, image) is wrong
    ├ HostError           4   this machine lacks a program, a right or room
    ├ NetworkError        5   a server could not be reached or sent something else than promised
    ├ TrustError          6   a signature, digest or date does not hold
    ├ ProcessError        7   a program that jeos started failed
    ├ StoreError          8   the store is damaged or busy
    └ MachineError        9   a virtual machine failed or did not answer

A message says what failed, with the value; the hint says what to do.
"""


class JeosError(Exception):
    """Something failed: `message` says what, `hint` says what to do about it."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class UsageError(JeosError):
    """The command line, or a name given on it, is wrong."""

    exit_code = 2


class InputError(JeosError):
    """A file that the user gave is wrong."""

    exit_code = 3


class HostError(JeosError):
    """This machine lacks a program, a right or room."""

    exit_code = 4


class NetworkError(JeosError):
    """A server could not be reached, or sent something else than promised."""

    exit_code = 5


class TrustError(JeosError):
    """A signature, a digest or a date does not hold."""

    exit_code = 6


class ProcessError(JeosError):
    """A program that jeos started failed."""

    exit_code = 7


class StoreError(JeosError):
    """The store is damaged or busy."""

    exit_code = 8


class MachineError(JeosError):
    """A virtual machine failed or did not answer."""

    exit_code = 9
