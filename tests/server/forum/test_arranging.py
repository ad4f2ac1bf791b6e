"""Categories as administrators make, change and order them."""

import pytest
from django.test import Client

from jeos.server.accounts.models import Member
from jeos.server.content import search
from jeos.server.content.areas import closed_areas
from jeos.server.content.models import AuditEntry
from jeos.server.content.search.query import parse
from jeos.server.forum import arranging, posting
from jeos.server.forum.models import Category
from server_site import signed_in

pytestmark = pytest.mark.django_db
WANTED = {"name": "Booting", "hue": "3", "start_trust": "0", "reply_trust": "0", "slow_seconds": "0"}


@pytest.fixture
def boss(administrator: Member) -> Client:
    return signed_in(administrator)


def order() -> list[str]:
    return list(Category.objects.values_list("slug", flat=True))


def test_category_is_made_at_the_end_with_an_address_from_its_name(boss: Client, category: Category) -> None:
    boss.post("/forum/categories/new/", {**WANTED, "solvable": "on", "slow_seconds": "60"})
    made = Category.objects.get(slug="booting")
    assert (made.name, made.hue, made.solvable, made.staff, made.slow_seconds) == ("Booting", 3, True, False, 60)
    assert order() == ["building", "booting"]
    assert AuditEntry.objects.filter(action="category.make").count() == 1


@pytest.mark.parametrize("change", [{"name": "Building"}, {"slug": "two words"}, {"name": "!"}, {"hue": "12"}])
def test_category_that_cannot_be_is_not_made(boss: Client, category: Category, change: dict[str, str]) -> None:
    assert boss.post("/forum/categories/new/", {**WANTED, **change}).status_code == 200
    assert order() == ["building"]


def test_categories_change_places(boss: Client, category: Category, team_room: Category) -> None:
    boss.post(f"/forum/categories/{team_room.pk}/move/", {"to": "up"})
    assert order() == ["team", "building"]
    boss.post(f"/forum/categories/{team_room.pk}/move/", {"to": "up"})
    boss.post(f"/forum/categories/{team_room.pk}/move/", {"to": "down"})
    assert order() == ["building", "team"]


def test_closed_category_is_read_and_found_by_moderators_only(
    boss: Client, category: Category, ada: Member, bob: Member, moderator: Member
) -> None:
    thread = posting.start(category, author=ada, title="Quiet zebras here", source="stripes")
    posting.reply(thread, category, author=ada, source="more zebras")

    def found(member: Member | None) -> int:
        return len(search.index().find(parse("zebras"), limit=9, hidden_areas=closed_areas(member)))

    assert (found(bob), found(moderator)) == (2, 2)
    boss.post(f"/forum/categories/{category.pk}/", {**WANTED, "name": "Building", "slug": "building", "staff": "on"})
    assert (found(bob), found(moderator)) == (0, 2)
    assert signed_in(bob).get(thread.get_absolute_url()).status_code == 404
    boss.post(f"/forum/categories/{category.pk}/", {**WANTED, "name": "Building", "slug": "building"})
    assert (found(None), found(moderator)) == (2, 2)


def test_category_with_threads_stays(boss: Client, category: Category, ada: Member, administrator: Member) -> None:
    posting.start(category, author=ada, title="Something to keep", source="yes")
    boss.post(f"/forum/categories/{category.pk}/remove/")
    assert order() == ["building"]
    with pytest.raises(ValueError, match="building"):
        arranging.remove(category, actor=administrator)


def test_empty_category_is_removed(boss: Client, category: Category) -> None:
    boss.post(f"/forum/categories/{category.pk}/remove/")
    assert order() == []
