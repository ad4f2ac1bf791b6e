"""Webhooks as a section of the site."""

from django.utils.translation import gettext_lazy as _

from jeos.server.section import Section


class Webhooks(Section):
    """What happens here, sent elsewhere; found among a member's settings."""

    name = "jeos.server.webhooks"
    label = "webhooks"
    prefix = "settings/webhooks"

    def ready(self) -> None:
        """Register what webhooks are for the rest of the site."""
        from jeos.server.accounts import leaving, tabs
        from jeos.server.content import happenings
        from jeos.server.webhooks import sending, tasks  # models can be imported only now

        happenings.listen(sending.take)
        leaving.register(sending.forget)
        tabs.register("webhooks", "webhooks:list", _("Webhooks"))
        tasks.register()
