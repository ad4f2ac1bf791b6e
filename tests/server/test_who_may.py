"""Who may ask for what: every view, asked by every role, against one table.

The objects are those of `server_world`, all by one author. Who may not is sent to sign in, told that it is forbidden or
that there is no such thing; any other answer means that somebody may. What a view does with a form is for the tests of
its section; so is what becomes of all this when something is hidden, a draft, or closed.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from pytest_django import Settings

import server_world
from jeos.server.accounts.models import Member, Trust
from server_site import TO_LOGIN, make_member, signed_in

pytestmark = pytest.mark.django_db
ROLES = ("visitor", "newcomer", "member", "author", "moderator", "administrator")
EVERYBODY = ROLES
MEMBERS = ROLES[1:]
MODERATORS = ROLES[4:]
ADMINISTRATORS = ROLES[5:]
AUTHOR_AND_MODERATORS = ROLES[3:]
AUTHOR_AND_ADMINISTRATORS = ("author", "administrator")
AUTHOR = ("author",)
OTHERS = ("newcomer", "member", "moderator", "administrator")  # nobody judges what is his own
NOBODY = ()  # a door for tokens; a provider that this site does not have
REFUSALS = (TO_LOGIN, 403, 404)

# Role → section → its views.
WHO_MAY = {
    EVERYBODY: {
        "forum": (
            "latest latest-feed unanswered-feed category-feed thread-feed unanswered category thread-number "
            "thread thread-page post history"
        ),
        "catalogue": "new feed starred review review-history publisher appliance appliance-feed versions version bill",
        "wiki": (
            "start every changes changes-feed wanted wanted-feed orphans orphans-feed page links history history-feed "
            "compare version"
        ),
        "blog": (
            "planet planet-feed blogs blogs-feed permanent comments-feed history blog blog-feed series series-feed post"
        ),
        "practices": "proven feed top top-feed in-review review-feed practice-number history practice",
        "ideas": "trending feed top top-feed new new-feed roadmap status status-feed idea-number history idea",
        "events": (
            "coming past past-feed feed event event-feed worker offline schedule schedule-calendar versions speakers "
            "speaker agenda-calendar sessions session-number session-calendar history session call topics"
        ),
        "accounts": "member invited",
        "api": "reference",
        "content": (
            "tags tag-suggestions tag tag-feed member-feed search search-feed comment comment-history file-small "
            "file-itself mail-stop language face"
        ),
        "push": "worker",
        "importing": (
            "discourse_topic discourse_post discourse_category discourse_member discourse_tag discourse_upload "
            "phpbb_file phpbb_topic phpbb_forum phpbb_member"
        ),
    },
    MEMBERS: {
        "forum": "unread followed mark-read new first-unread mark reply vote react",
        "catalogue": "mine publish give-up star",
        "wiki": "new edit seen revert",
        "blog": "followed own describe write react",
        "practices": "mine write",
        "ideas": "mine write similar vote",
        "events": "agenda renew-agenda star vote submit",
        "accounts": "profile tokens organisations data download",
        "content": (
            "notifications see-notifications bookmarks bookmark follow flag comment-write files file set-face "
            "preview draft"
        ),
        "webhooks": "list new",
        "push": "list add",
    },
    MODERATORS: {
        "forum": "manage",
        "catalogue": "hide",
        "wiki": "hide-version manage",
        "blog": "hide",
        "practices": "review hide-rating",
        "ideas": "answer merge",
        "events": "new hide-rating",
        "content": "tag-edit queue log decide undo",
    },
    ADMINISTRATORS: {
        "forum": "categories new-category edit-category move-category remove-category",
        "catalogue": "vouch",
        "wiki": "rules",
        "administration": (
            "overview members member standing silence suspend remove jobs task mail site blocked undo-block "
            "invite end-invitation"
        ),
        "importing": "imports resume start",
    },
    AUTHOR_AND_MODERATORS: {
        "forum": "solve edit",
        "blog": "edit",
        "practices": "edit renew",
        "ideas": "edit",
        "events": (
            "edit-session review decide-many review-session decide manage edit parts save-part people dismiss "
            "add-session placing place release"
        ),
        "content": "comment-edit file-remove",
    },
    AUTHOR_AND_ADMINISTRATORS: {
        "catalogue": "manage seat domain take-down",
    },
    AUTHOR: {
        "catalogue": "channel-new channel withdraw",
        "blog": "withdraw delete",
        "practices": "submit",
        "events": "withdraw confirm invitation",
        "accounts": "remove-token disconnect",
        "push": "remove test",
        "webhooks": "hook edit test secret switch remove again",
    },
    OTHERS: {
        "catalogue": "review-write",
        "practices": "rate",
        "events": "rate",
    },
    NOBODY: {
        "catalogue": "publish-door",
        "accounts": "connect",
    },
}
ONLY_POSTED = {"events:topics": MEMBERS}  # where others may look, and these may write


def declared() -> dict[str, tuple[str, ...]]:
    """Return who may ask for each view."""
    return {
        f"{section}:{name}": who
        for who, sections in WHO_MAY.items()
        for section, names in sections.items()
        for name in names.split()
    }


@pytest.fixture
def world(ada: Member, settings: Settings, tmp_path: Path) -> dict[str, object]:
    settings.FILES = tmp_path / "files"
    settings.PUSH = "mailto:ada@mail.example"
    settings.DATA = tmp_path
    return server_world.build(ada)


@pytest.fixture
def roles(world: dict[str, object], people: dict[str, Client]) -> dict[str, Client]:
    """Return a browser for each role."""
    newcomer = make_member("newcomer")
    Member.objects.filter(pk=newcomer.pk).update(trust=Trust.NEW)
    return {**people, "newcomer": signed_in(newcomer)}


def statuses(roles: dict[str, Client], address: str, method: str) -> Iterator[tuple[str, int]]:
    """Ask as each role, and leave everything as it was; nothing comes of a method that a view does not take."""
    for role in ROLES:
        cache.clear()  # it counts how often somebody writes
        with transaction.atomic():
            answer = getattr(roles[role], method)(address)
            transaction.set_rollback(True)
        if answer.streaming:
            answer.close()
        else:  # a form's token that was escaped is a form that nobody can send
            assert b"&lt;input" not in answer.content, (address, role)
        if answer.status_code == 405:
            return
        login = answer.status_code == 302 and answer.headers["Location"].startswith("/accounts/login/")
        yield role, TO_LOGIN if login else answer.status_code


def test_every_view_says_who_may_ask_for_it() -> None:
    assert set(declared()) == set(server_world.views())


@pytest.mark.parametrize("section", sorted({name.partition(":")[0] for name in declared()}))
def test_view_is_for_whom_the_table_says(roles: dict[str, Client], world: dict[str, object], section: str) -> None:
    wrong = []
    for name, who in declared().items():
        if not name.startswith(f"{section}:"):
            continue
        address, methods = server_world.address_of(name, world), 0
        for method in ("get", "post"):
            got = dict(statuses(roles, address, method))
            may = tuple(role for role, status in got.items() if status not in REFUSALS)
            wanted = ONLY_POSTED.get(name, who) if method == "post" else who
            methods += bool(got)
            if got and may != wanted:
                wrong.append(f"{method} {name} {address}: {got} instead of {wanted}")
        assert methods, name
    assert "\n".join(wrong) == ""
