"""The forum as a section of the site."""

from django.utils.translation import gettext_lazy as _

from jeos.server.section import Section


class Forum(Section):
    """Categories, threads and posts; its newest threads are the site's front page."""

    name = "jeos.server.forum"
    label = "forum"
    prefix = "forum"
    title = _("Forum")
    order = 10
    home = "views.lists.latest"

    def ready(self) -> None:
        """Register what threads and posts are for the rest of the site."""
        from jeos.server.administration import desk
        from jeos.server.forum import arranging, kinds, members, tasks  # models can be imported only now

        kinds.register()
        members.register()
        tasks.register()
        desk.register("categories", "forum:categories", _("Categories"))
        desk.register_figure("threads", _("Threads"), arranging.threads)
        desk.register_figure("posts", _("Posts"), arranging.posts)
