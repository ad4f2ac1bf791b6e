"""Members and browsers for tests of the server. Import it only after `server/conftest.py` has set Django up."""

from collections.abc import Collection, Mapping

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from jeos.server.accounts.models import Member, Trust


def make_member(handle: str, **fields: object) -> Member:
    """Make a member who has been here for a while."""
    return Member.objects.create_user(handle, f"{handle}@mail.example", "correct horse", trust=Trust.BASIC, **fields)


def signed_in(member: Member | None) -> Client:
    """Return a browser of a member, or of a visitor."""
    client = Client()
    if member is not None:
        client.force_login(member, backend="jeos.server.accounts.backends.Passphrases")
    return client


ROLES = ("visitor", "member", "author", "moderator", "administrator")
TO_LOGIN = 401  # what `statuses` makes of being sent to sign in


def statuses(people: Mapping[str, Client], address: str, data: Mapping[str, object] | None = None) -> list[int]:
    """Return what each role gets, in the order of ROLES."""
    answers: list[int] = []
    for role in ROLES:
        answer = people[role].get(address) if data is None else people[role].post(address, data)
        login = answer.status_code == 302 and answer.headers["Location"].startswith("/accounts/login/")
        answers.append(TO_LOGIN if login else answer.status_code)
    return answers


def count_queries(client: Client, address: str, *, answers: Collection[int] = (200,)) -> int:
    """Return how many queries a page takes when what every process keeps is warm: the fewest of some tries.

    It must give one of these answers.
    """
    counts = []
    for _ in range(3):
        client.get(address)
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(address)
        assert answer.status_code in answers, address
        counts.append(len(captured))
    return min(counts)
