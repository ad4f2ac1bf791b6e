"""The section of what all content shares."""

from jeos.server.section import Section


class Content(Section):
    """Tags, search, following, notifications, moderation: at the root, since they span all sections."""

    name = "jeos.server.content"
    label = "content"

    def ready(self) -> None:
        """Register what is kept for members, and the work that comes back."""
        from jeos.server.content import comments, members, tasks  # models can be imported only now
        from jeos.server.content.mailing import tasks as mailing

        comments.register()
        members.register()
        tasks.register()
        mailing.register()
