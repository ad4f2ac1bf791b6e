"""The catalogue as a section of the site."""

from django.utils.translation import gettext_lazy as _

from jeos.server.section import Section


class Catalogue(Section):
    """Appliances and those who publish them."""

    name = "jeos.server.catalogue"
    label = "catalogue"
    prefix = "catalogue"
    title = _("Appliances")
    order = 15

    def ready(self) -> None:
        """Register what appliances are for the rest of the site."""
        from jeos.server.catalogue import kinds, members, tasks  # models can be imported only now

        kinds.register()
        members.register()
        tasks.register()
