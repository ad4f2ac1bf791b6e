"""The section of accounts."""

from jeos.server.section import Section


class Accounts(Section):
    """Members and their pages; at the root, since a member's page is an address to give to others."""

    name = "jeos.server.accounts"
    label = "accounts"
