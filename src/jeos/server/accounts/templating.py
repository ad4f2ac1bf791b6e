"""What accounts bring for templates."""

from django.conf import settings

from jeos.server import sign_in
from jeos.server.accounts import site, tabs
from jeos.server.accounts.models import Entry


def ways() -> sign_in.SignIn:
    """Return how members sign in."""
    found: sign_in.SignIn = settings.SIGN_IN
    return found


def everybody_may_join() -> bool:
    """Tell whether the site offers an account to everybody."""
    return ways().passphrases and site.current().entry == Entry.OPEN


NAMES = {
    "settings_tabs": tabs.every,
    "ways_to_sign_in": ways,
    "site_name": site.Name(),
    "everybody_may_join": everybody_may_join,
}
