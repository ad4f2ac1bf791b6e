"""The tables of content, by subject."""

from jeos.server.content.models.attachments import Attachment, Reference
from jeos.server.content.models.comments import Comment
from jeos.server.content.models.following import Bookmark, Following, Level, Notification, Reaction, Reason
from jeos.server.content.models.limits import Allowance
from jeos.server.content.models.mailing import Digest, Incoming
from jeos.server.content.models.moderation import AuditEntry, Case, Flag, FlagReason, Outcome
from jeos.server.content.models.search import Document
from jeos.server.content.models.tags import Tag, Tagged
from jeos.server.content.models.texts import Draft, Revision, Text

__all__ = [
    "Allowance",
    "Attachment",
    "AuditEntry",
    "Bookmark",
    "Case",
    "Comment",
    "Digest",
    "Document",
    "Draft",
    "Flag",
    "FlagReason",
    "Following",
    "Incoming",
    "Level",
    "Notification",
    "Outcome",
    "Reaction",
    "Reason",
    "Reference",
    "Revision",
    "Tag",
    "Tagged",
    "Text",
]
