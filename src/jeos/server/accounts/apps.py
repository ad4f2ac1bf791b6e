"""The section of accounts."""

from jeos.server.section import Section


class Accounts(Section):
    """Members and their pages; at the root, since a member's page is an address to give to others."""

    name = "jeos.server.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Register the work that comes back."""
        from jeos.server.accounts.organisations import tasks  # models can be imported only now

        tasks.register()
