"""Why signed metadata is refused: one class for each kind of reason, so that callers can tell them apart.

TrustError (jeos.core.errors)
├ ExpiredError      what it says may be outdated: a freeze attack, a forgotten signature, or a clock that is wrong
├ RollbackError     older than what was trusted before: a rollback, or a replay
├ SignatureError    fewer good signatures than the threshold of its role
├ MismatchError     not the file that the signed metadata speaks of: mix-and-match, arbitrary software, endless data
└ FormatError       not metadata at all, or not of this kind
"""

from jeos.core.errors import TrustError


class ExpiredError(TrustError):
    """Metadata is past its date, so something newer may be withheld."""


class RollbackError(TrustError):
    """Metadata is older than what was trusted before."""


class SignatureError(TrustError):
    """Metadata has fewer good signatures than its role demands."""


class MismatchError(TrustError):
    """A file is not the one that signed metadata speaks of: its length, digest or version is another."""


class FormatError(TrustError):
    """A file is not metadata, or metadata of another kind or form."""
