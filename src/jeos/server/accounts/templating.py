"""What accounts bring for templates."""

from jeos.server.accounts import tabs

NAMES = {"settings_tabs": tabs.every}
