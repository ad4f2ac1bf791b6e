"""Blogs as a section of the site."""

from django.utils.translation import gettext_lazy as _

from jeos.server.section import Section


class Blogs(Section):
    """A blog for every member: drafts, scheduled posts, series, comments, and the planet of all posts."""

    name = "jeos.server.blog"
    label = "blog"
    prefix = "blog"
    title = _("Blogs")
    order = 30

    def ready(self) -> None:
        """Register what blog posts are for the rest of the site."""
        from jeos.server.blog import kinds, members, tasks  # models can be imported only now

        kinds.register()
        members.register()
        tasks.register()
