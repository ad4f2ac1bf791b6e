"""Writing pages: versions, merges, conflicts, links, moves, protection, hiding, and who is told."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jeos.server.accounts.models import Member, Role, Trust
from jeos.server.content import following, kinds, moderation, search
from jeos.server.content.models import AuditEntry, Case, FlagReason, Notification, Outcome, Reason, Revision, Tagged
from jeos.server.wiki import links, managing, rights, rules, tasks, writing
from jeos.server.wiki.models import Change, Level, Link, Page, Redirect, Rules, Wanted, What
from jeos.server.wiki.writing import Conflict, Saved
from server_site import make_member

pytestmark = pytest.mark.django_db
TEXT = "First the disk.\n\nThen the network.\n\nSee [[Secure boot]]."


@pytest.fixture
def page(ada: Member) -> Page:
    return writing.create(title="Boot order", source=TEXT, author=ada, tag_names=["uefi"])


def edit(page: Page, editor: Member, source: str, *, base: int) -> Saved | Conflict:
    return writing.edit(page.pk, editor=editor, base=base, source=source, tags_then=["uefi"], tags_now=["uefi"])


def saved(done: Saved | Conflict) -> Saved:
    assert isinstance(done, Saved)
    return done


def found(text: str) -> list[int]:
    return [hit.number for hit in search.index().find(search.parse(text), limit=9)]


def test_new_page_has_all_that_belongs_to_it(page: Page, ada: Member) -> None:
    assert (page.name, page.version, page.tags, page.get_absolute_url()) == (
        "boot-order",
        1,
        "uefi",
        "/wiki/boot-order/",
    )
    assert [(change.what, change.version, change.size) for change in Change.objects.all()] == [
        (What.MADE, 1, len(TEXT))
    ]
    assert [(link.name, link.title, link.page) for link in Link.objects.all()] == [("secure-boot", "Secure boot", None)]
    assert found("network") == [page.pk]
    assert Tagged.objects.filter(kind=kinds.WIKI_PAGE, number=page.pk).count() == 1
    assert following.level(ada, kinds.WIKI_PAGE, page.pk) == 1


def test_change_keeps_what_the_page_was(page: Page, ada: Member, bob: Member) -> None:
    done = saved(edit(page, bob, TEXT.replace("network", "rest"), base=1))
    assert (done.page.version, done.page.editor, done.merged) == (2, bob, False)
    assert [(row.version, row.source, row.editor) for row in Revision.objects.order_by("version")] == [
        (1, TEXT, ada),
        (2, TEXT.replace("network", "rest"), bob),
    ]
    assert [writing.source_of(done.page, version) for version in (0, 1, 2, 3)] == [
        "",
        TEXT,
        TEXT.replace("network", "rest"),
        "",
    ]
    assert (found("network"), found("rest")) == ([], [page.pk])


def test_change_that_changes_nothing_makes_no_version(page: Page, bob: Member) -> None:
    assert saved(edit(page, bob, TEXT, base=1)).page.version == 1
    assert Change.objects.count() == 1


def test_changes_of_different_lines_are_both_kept(page: Page, ada: Member, bob: Member) -> None:
    saved(edit(page, ada, TEXT.replace("the disk", "the firmware"), base=1))
    done = saved(edit(page, bob, TEXT.replace("the network", "the rest"), base=1))
    assert done.merged
    assert done.page.source == "First the firmware.\n\nThen the rest.\n\nSee [[Secure boot]]."


def test_changes_of_the_same_line_are_a_conflict_and_nothing_is_lost(page: Page, ada: Member, bob: Member) -> None:
    saved(edit(page, ada, TEXT.replace("the disk", "the firmware"), base=1))
    done = edit(page, bob, TEXT.replace("the disk", "the shim"), base=1)
    assert isinstance(done, Conflict)
    assert done.merged.conflicts == 1
    assert "First the firmware." in done.merged.text
    assert "First the shim." in done.merged.text
    page.refresh_from_db()
    assert (page.version, page.editor) == (2, ada)


def test_tags_of_two_editors_are_merged(page: Page, ada: Member, bob: Member) -> None:
    writing.edit(page.pk, editor=ada, base=1, source=TEXT, tags_then=["uefi"], tags_now=["uefi", "disks"])
    done = saved(writing.edit(page.pk, editor=bob, base=1, source=TEXT, tags_then=["uefi"], tags_now=["network"]))
    assert done.page.tags == "disks network"


def test_going_back_is_a_version_of_its_own(page: Page, ada: Member, bob: Member) -> None:
    done = saved(edit(page, bob, "rubbish", base=1))
    back = saved(writing.revert(done.page, 1, editor=ada, base=2))
    assert (back.page.source, back.page.version, back.page.tags) == (TEXT, 3, "uefi")
    assert Change.objects.order_by("-pk")[0].what == What.REVERTED


def test_one_change_is_taken_out_with_later_ones_kept(page: Page, ada: Member, bob: Member) -> None:
    saved(edit(page, bob, TEXT.replace("the disk", "rubbish"), base=1))
    done = saved(edit(page, ada, TEXT.replace("the disk", "rubbish").replace("the network", "the rest"), base=2))
    made = writing.without(done.page, 2)
    assert (made.text, made.conflicts) == (TEXT.replace("the network", "the rest"), 0)


def test_links_lead_to_a_page_as_soon_as_there_is_one(page: Page, ada: Member) -> None:
    assert [(row.name, row.title, row.uses) for row in Wanted.objects.all()] == [("secure-boot", "Secure boot", 1)]
    assert links.missing(page) == ["secure-boot"]
    made = writing.create(title="Secure Boot", source="Signed. [[Boot order]] [[Secure boot]]", author=ada)
    made.refresh_from_db()
    page.refresh_from_db()
    assert (made.incoming, page.incoming, links.missing(page)) == (1, 1, [])
    assert not Wanted.objects.exists()
    edit(page, ada, "no link", base=1)
    made.refresh_from_db()
    assert made.incoming == 0


def test_wanted_page_is_wanted_as_often_as_pages_link_to_it(page: Page, ada: Member) -> None:
    other = writing.create(title="Other", source="[[Secure boot]] [[secure boot|twice]]", author=ada)
    assert Wanted.objects.get().uses == 2
    edit(page, ada, "none", base=1)
    assert Wanted.objects.get().uses == 1
    managing.set_hidden(other.pk, True)
    assert not Wanted.objects.exists()
    managing.set_hidden(other.pk, False)
    assert Wanted.objects.get().uses == 1


def test_link_to_nothing_is_told_from_others(page: Page) -> None:
    made = links.mark_missing(page.html, links.missing(page))
    assert '<a href="/wiki/secure-boot/" class="wiki missing" rel="nofollow ugc noopener">Secure boot</a>' in made


def test_moved_page_is_found_by_all_its_names(page: Page, ada: Member) -> None:
    other = writing.create(title="Other", source="[[Boot order]]", author=ada)
    managing.move(page, "Order of booting", actor=ada, reason="clearer")
    managing.move(page, "How it boots", actor=ada)
    assert sorted(Redirect.objects.values_list("name", "page")) == [
        ("boot-order", page.pk),
        ("order-of-booting", page.pk),
    ]
    assert links.missing(other) == []
    assert links.resolve(["boot-order", "how-it-boots", "nothing"]) == {"boot-order": page.pk, "how-it-boots": page.pk}
    assert found("how boots") == [page.pk]
    managing.move(page, "Boot order", actor=ada)  # and back: the name is its own again
    assert sorted(Redirect.objects.values_list("name", flat=True)) == ["how-it-boots", "order-of-booting"]


def test_page_is_not_moved_over_another(page: Page, ada: Member) -> None:
    writing.create(title="Other", source="x", author=ada)
    with pytest.raises(ValueError, match="that title already"):
        managing.move(page, "other", actor=ada)
    managing.move(page, "Elsewhere", actor=ada)
    third = writing.create(title="Third", source="x", author=ada)
    with pytest.raises(ValueError, match="was there before"):
        managing.move(third, "Boot order", actor=ada)


def test_name_that_is_freed_leads_nowhere(page: Page, ada: Member, moderator: Member) -> None:
    other = writing.create(title="Other", source="[[Boot order]]", author=ada)
    managing.move(page, "Elsewhere", actor=ada)
    managing.remove_redirect(Redirect.objects.get(), actor=moderator)
    page.refresh_from_db()
    assert (links.missing(other), page.incoming) == (["boot-order"], 0)
    assert Wanted.objects.get(name="boot-order").uses == 1


def test_hidden_page_is_in_no_list_and_comes_back_whole(page: Page, bob: Member, moderator: Member) -> None:
    case = moderation.flag(kinds.WIKI_PAGE, page.pk, member=bob, reason=FlagReason.SPAM)
    moderation.decide(case, Outcome.HIDDEN, moderator=moderator)
    assert (found("network"), kinds.cards([(kinds.WIKI_PAGE, page.pk)], member=bob)) == ([], [])
    assert not Tagged.objects.filter(kind=kinds.WIKI_PAGE).exists()
    moderation.undo(Case.objects.get(), moderator=moderator)
    assert found("network") == [page.pk]
    assert [card.title for card in kinds.cards([(kinds.WIKI_PAGE, page.pk)], member=bob)] == ["Boot order"]
    assert Tagged.objects.filter(kind=kinds.WIKI_PAGE).count() == 1


def test_new_members_page_full_of_links_waits_for_a_moderator() -> None:
    spammer = make_member("spam")
    Member.objects.filter(pk=spammer.pk).update(trust=Trust.NEW)
    spammer.refresh_from_db()
    made = writing.create(
        title="Cheap ink", source="http://a.example http://b.example http://c.example", author=spammer
    )
    assert made.hidden
    assert Case.objects.get().number == made.pk
    assert found("ink") == []


def test_new_member_adds_few_links_to_a_page(page: Page, ada: Member) -> None:
    Member.objects.filter(pk=ada.pk).update(trust=Trust.NEW)
    ada.refresh_from_db()
    with pytest.raises(writing.TooManyLinks):
        edit(page, ada, TEXT + " http://a.example http://b.example http://c.example", base=1)
    assert saved(edit(page, ada, TEXT + " http://a.example", base=1)).page.version == 2


def test_followers_are_told_of_a_change_once(page: Page, ada: Member, bob: Member) -> None:
    cleo = make_member("cleo")
    saved(edit(page, bob, TEXT + "\n\nAsk @cleo", base=1))
    change = Change.objects.get(version=2)
    for _ in range(2):
        tasks.announce.func(change.pk)
    told = Notification.objects.order_by("pk").values_list("member", "reason", "url")
    assert list(told) == [
        (cleo.pk, Reason.MENTION, "/wiki/boot-order/"),
        (ada.pk, Reason.NEW, "/wiki/boot-order/compare/?to=2"),
    ]
    saved(edit(page, bob, TEXT + "\n\nAsk @cleo, again", base=2))
    tasks.announce.func(Change.objects.get(version=3).pk)
    assert Notification.objects.filter(member=cleo).count() == 1  # who was mentioned already is left in peace


def test_followers_of_a_tag_are_told_of_a_new_page(ada: Member, bob: Member, page: Page) -> None:
    tag = Tagged.objects.get(kind=kinds.WIKI_PAGE).tag
    following.set_level(bob, following.TAG, tag.pk, 1)
    tasks.announce.func(Change.objects.get().pk)
    assert [(row.member, row.url) for row in Notification.objects.all()] == [(bob, "/wiki/boot-order/")]


@pytest.mark.parametrize(
    ("level", "who"),
    [
        (Level.EVERY_MEMBER, "new basic known moderator administrator"),
        (Level.BASIC, "basic known moderator administrator"),
        (Level.KNOWN, "known moderator administrator"),
        (Level.LEADER, "moderator administrator"),
        (Level.MODERATORS, "moderator administrator"),
        (Level.ADMINISTRATORS, "administrator"),
    ],
)
def test_level_is_reached_by_whom_it_means(level: Level, who: str) -> None:
    people = {
        "new": Member(trust=Trust.NEW),
        "basic": Member(trust=Trust.BASIC),
        "known": Member(trust=Trust.KNOWN),
        "moderator": Member(role=Role.MODERATOR, trust=Trust.NEW),
        "administrator": Member(role=Role.ADMINISTRATOR, trust=Trust.NEW),
    }
    assert " ".join(name for name, member in people.items() if rights.reaches(member, level)) == who
    page, now = Page(protection=level), timezone.now()
    may = [name for name, member in people.items() if rights.may_edit(page, member, Rules(), now=now)]
    assert " ".join(may) == who
    closed = [name for name, member in people.items() if rights.may_edit(Page(), member, Rules(edit=level), now=now)]
    assert " ".join(closed) == who
    assert not rights.may_edit(page, None, Rules(), now=now)


def test_silenced_member_writes_nothing(ada: Member) -> None:
    now = timezone.now()
    ada.silenced_until = now + timedelta(hours=1)
    assert not rights.may_edit(Page(), ada, Rules(), now=now)
    assert not rights.may_create(ada, Rules(), now=now)
    assert not rights.may_move(Page(), ada, Rules(move=Level.EVERY_MEMBER), now=now)


def test_rules_are_kept_and_stand_in_the_log(administrator: Member) -> None:
    assert rules.current().edit == Level.EVERY_MEMBER
    rules.change(edit=Level.KNOWN, create=Level.REGULAR, move=Level.MODERATORS, actor=administrator)
    assert (rules.current().edit, rules.current().create, rules.current().move) == (2, 3, 5)
    rules.change(edit=Level.BASIC, create=Level.BASIC, move=Level.BASIC, actor=administrator)
    assert Rules.objects.count() == 1
    assert AuditEntry.objects.filter(action="wiki.rules").count() == 2


def test_shown_version_is_not_hidden_and_an_earlier_one_is(page: Page, ada: Member, moderator: Member) -> None:
    page = saved(edit(page, ada, "better", base=1)).page
    with pytest.raises(ValueError, match="what the page shows"):
        managing.hide_version(page, 2, True, actor=moderator)
    managing.hide_version(page, 1, True, actor=moderator)
    assert list(Change.objects.order_by("version").values_list("hidden", flat=True)) == [True, False]
