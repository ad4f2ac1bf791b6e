"""Push as a section of the site."""

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from jeos.server.section import Section


class Push(Section):
    """Browsers that show notifications; found among a member's settings where the operator switched it on."""

    name = "jeos.server.push"
    label = "push"
    prefix = "settings/push"

    def ready(self) -> None:
        """Register what push is for the rest of the site."""
        from jeos.server.accounts import leaving, tabs
        from jeos.server.content import notifications
        from jeos.server.push import sending  # models can be imported only now

        leaving.register(sending.forget)
        if settings.PUSH:
            notifications.listen(sending.take)
            tabs.register("push", "push:list", _("Push"))
