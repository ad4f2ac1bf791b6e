"""What the templates of practices call."""

from jeos.server.content import markdown

NAMES: dict[str, object] = {"practice_summary": markdown.summary}
