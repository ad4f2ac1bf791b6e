"""What can go wrong while a guest updates itself.

UpdateError           something about an update failed; all others are kinds of it
├ BusyError           another process updates this guest now
├ LayoutError         the disk is not laid out as an appliance's is, or the release cannot go onto it
├ RoomError           a partition or the data lacks room
├ UnconfirmedError    the running release is on trial, so that its fallback must stay
├ RebuildError        what was made is not what was signed
└ MigrationError      a step of a release's migration failed
"""

from jeos.core.errors import JeosError


class UpdateError(JeosError):
    """Something about an update failed."""


class BusyError(UpdateError):
    """Another process updates this guest now."""


class LayoutError(UpdateError):
    """The disk is not laid out as an appliance's is, or the release cannot go onto it."""


class RoomError(UpdateError):
    """A partition or the data lacks room."""


class UnconfirmedError(UpdateError):
    """The running release is on trial, so that its fallback must stay."""


class RebuildError(UpdateError):
    """What was made is not what was signed."""


class MigrationError(UpdateError):
    """A step of a release's migration failed."""
