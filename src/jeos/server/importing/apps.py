"""Importing as a section of the site: at the root, since old addresses were there."""

from django.utils.translation import gettext_lazy as _

from jeos.server.section import Section


class Importing(Section):
    """What came from other forums, and where its old addresses lead."""

    name = "jeos.server.importing"
    label = "importing"

    def ready(self) -> None:
        """Put the imports onto the administrators' desk."""
        from jeos.server.administration import desk
        from jeos.server.importing import problems  # models can be imported only now

        desk.register("imports", problems.VIEW, _("Imports"), order=90)
        desk.register_problems("imports", problems.found)
