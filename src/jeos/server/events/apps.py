"""Events as a section of the site."""

from django.utils.translation import gettext_lazy as _

from jeos.server.section import Section


class Events(Section):
    """Meetings of the community, with their schedules."""

    name = "jeos.server.events"
    label = "events"
    prefix = "events"
    title = _("Events")
    order = 60

    def ready(self) -> None:
        """Register what events are for the rest of the site."""
        from jeos.server.events import kinds, members  # models can be imported only now

        kinds.register()
        members.register()
