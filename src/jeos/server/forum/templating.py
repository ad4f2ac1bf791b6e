"""What the forum's templates call."""

from jeos.server.forum.models import thread_url

NAMES: dict[str, object] = {"thread_url": thread_url}
