"""Ideas as a section of the site."""

from django.utils.translation import gettext_lazy as _

from jeos.server.section import Section


class Ideas(Section):
    """Suggestions with votes, and the roadmap that answers them."""

    name = "jeos.server.ideas"
    label = "ideas"
    prefix = "ideas"
    title = _("Ideas")
    order = 40

    def ready(self) -> None:
        """Register what ideas are for the rest of the site."""
        from jeos.server.ideas import kinds, members  # models can be imported only now

        kinds.register()
        members.register()
