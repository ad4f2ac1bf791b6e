"""Content: what all sections share: text, revisions, tags, search, following, notifications, moderation."""
