"""The wiki as a section of the site."""

from django.utils.translation import gettext_lazy as _

from jeos.server.section import Section


class Wiki(Section):
    """Pages that members write together; texts everywhere on the site link to them as [[Title]]."""

    name = "jeos.server.wiki"
    label = "wiki"
    prefix = "wiki"
    title = _("Wiki")
    order = 20

    def ready(self) -> None:
        """Register what pages are for the rest of the site."""
        from jeos.server.administration import desk
        from jeos.server.wiki import kinds, members  # models can be imported only now

        kinds.register()
        members.register()
        desk.register("wiki", "wiki:rules", _("Wiki"))
