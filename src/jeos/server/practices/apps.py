"""Proven practices as a section of the site."""

from django.utils.translation import gettext_lazy as _

from jeos.server.section import Section


class Practices(Section):
    """What is known to work: articles that peers have reviewed and that expire unless they are renewed."""

    name = "jeos.server.practices"
    label = "practices"
    prefix = "practices"
    title = _("Practices")
    order = 30

    def ready(self) -> None:
        """Register what practices are for the rest of the site."""
        from jeos.server.practices import kinds, members, tasks  # models can be imported only now

        kinds.register()
        members.register()
        tasks.register()
