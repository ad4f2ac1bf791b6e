"""What accounts bring for templates."""

from django.conf import settings

from jeos.server import sign_in
from jeos.server.accounts import tabs


def ways() -> sign_in.SignIn:
    """Return how members sign in."""
    found: sign_in.SignIn = settings.SIGN_IN
    return found


NAMES = {"settings_tabs": tabs.every, "ways_to_sign_in": ways}
