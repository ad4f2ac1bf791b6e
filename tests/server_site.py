"""Members and browsers for tests of the server. Import it only after `server/conftest.py` has set Django up."""

from django.test import Client

from jeos.server.accounts.models import Member, Trust


def make_member(handle: str, **fields: object) -> Member:
    """Make a member who has been here for a while."""
    return Member.objects.create_user(handle, f"{handle}@mail.example", "correct horse", trust=Trust.BASIC, **fields)


def signed_in(member: Member | None) -> Client:
    """Return a browser of a member, or of a visitor."""
    client = Client()
    if member is not None:
        client.force_login(member, backend="django.contrib.auth.backends.ModelBackend")
    return client
