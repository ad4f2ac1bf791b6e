"""A thread and its moderators in a browser: votes, slow mode, split, moved, merged, decided on and taken back."""

from collections.abc import Callable

import pytest

from browser_site import WITH_AND_WITHOUT_SCRIPTS, Browser, until

pytestmark = pytest.mark.browser


def path_of(browser: Browser) -> str:
    """Return the path of the page that is open."""
    return browser.driver.current_url.removeprefix(browser.site.address).partition("#")[0]


def number_of(browser: Browser) -> str:
    """Return the number of the thread that is open."""
    return path_of(browser).split("/")[3]


def answer(browser: Browser, path: str, text: str, *, becomes: int) -> None:
    browser.open(path)
    browser.write(".answer textarea", text)
    browser.click(".answer .button:not(.quiet)")
    browser.find(f"#p{becomes}")


@WITH_AND_WITHOUT_SCRIPTS
def test_member_votes_and_changes_the_vote(browse: Callable[..., Browser], script: bool) -> None:
    browser = browse(script=script)
    browser.sign_in("member" if script else "moderator")
    browser.open("/forum/t/5/")
    before = int(browser.text("#poll .meta").split()[0])
    for choice in (2, 3):
        option = f"#poll li:nth-child({choice}) input"
        browser.click(option)
        browser.click("#poll .button")
        browser.find(f"{option}[checked]")
        assert browser.text("#poll .meta").split()[0] == str(before + 1)
    assert browser.text("#poll .button") == "Change vote"
    assert browser.complaints() == []


def test_moderator_slows_splits_moves_and_merges(browse: Callable[..., Browser]) -> None:
    member, moderator = browse(), browse()
    wrong: list[str] = []
    member.sign_in("member")
    moderator.sign_in("moderator")
    member.open("/forum/new/?category=lounge")
    member.write("[name=title]", "One thing and then another")
    member.write("[name=source]", "The first thing.")
    member.click(".row .button:not(.quiet)")
    member.find(".posts")
    thread, number = path_of(member), number_of(member)
    answer(moderator, thread, "Another thing.", becomes=2)
    answer(moderator, thread, "More of the other thing.", becomes=3)

    moderator.open(f"/forum/t/{number}/manage/")
    moderator.write("[name=seconds]", "600")
    moderator.click("[value=slow]")
    moderator.find(".notice.success")
    wrong += moderator.faults_here("thread-slow-moderator")
    member.open(thread)
    wrong += member.faults_here("thread-slow")
    member.write(".answer textarea", "In a hurry.")
    member.click(".answer .button:not(.quiet)")
    assert "in slow mode" in member.text(".notice.warning")
    assert member.find("[name=source]").get_attribute("value") == "In a hurry."  # nothing is lost
    wrong += member.faults_here("thread-slow-refused")

    moderator.open(f"/forum/t/{number}/manage/")
    moderator.write("[name=numbers]", "2-x")
    moderator.write("[name=title]", "Another thing")
    moderator.click("[value=split]")
    assert "4, 6-9" in moderator.text(".notice.warning")
    wrong += moderator.faults_here("thread-manage-refused")
    moderator.write("[name=numbers]", "2-3")  # the title is still there
    moderator.click("[value=split]")
    moderator.find(".notice.success")
    other = number_of(moderator)
    assert other != number
    assert moderator.text("h1") == "Another thing"
    assert moderator.text(".post .text") == "Another thing."
    wrong += moderator.faults_here("thread-split")
    member.open(thread)
    assert "Another thing." not in member.text(".posts")

    moderator.open(f"/forum/t/{other}/manage/")
    moderator.click("#m-category option[value=building]")
    moderator.click("[value=move]")
    moderator.find(".notice.success")
    assert moderator.text(".crumbs").startswith("Building")
    moderator.open(f"/forum/t/{other}/manage/")
    moderator.write("[name=target]", number)
    moderator.click("[value=merge]")
    moderator.find(".notice.success")
    member.open(f"/forum/t/{other}/")
    assert number_of(member) == number
    assert "More of the other thing." in member.text(".posts")
    moderator.open("/moderation/log/")
    log = moderator.text("#content table")
    assert [word for word in ("slow", "split", "move", "merge") if f"thread.{word}" not in log] == []
    wrong += moderator.faults_here("moderation-log")
    assert "\n".join(wrong) == ""


def test_member_is_warned_silenced_and_heard_again(browse: Callable[..., Browser]) -> None:
    member, flagger, moderator = browse(), browse(), browse()
    wrong: list[str] = []
    member.sign_in("member")
    flagger.sign_in("admin")
    moderator.sign_in("moderator")
    member.open("/forum/new/?category=lounge")
    member.write("[name=title]", "Out of place")
    member.write("[name=source]", "Something rude.")
    member.click(".row .button:not(.quiet)")
    member.find(".posts")
    thread, number = path_of(member), number_of(member)
    undo = f".card:has(a[href^='/forum/t/{number}/']) form[action$='/undo/'] button"
    for outcome, note in (("3", "Be kind, please."), ("4", "That was the second time.")):
        flagger.open(f"/flag/1/{number}/")
        flagger.click("[name=reason]")
        flagger.write("[name=note]", "rude")
        flagger.click("form.form .button:not(.quiet)")
        until(lambda: not flagger.has("[name=reason]"), "the flag does not arrive")
        moderator.open("/moderation/")
        case = f".case:has(a[href^='/forum/t/{number}/'])"
        wrong += moderator.faults_here(f"moderation-{outcome}")
        moderator.write(f"{case} [name=note]", note)
        moderator.click(f"{case} [name=outcome][value='{outcome}']")
        moderator.find(undo)
        member.open("/notifications/")
        assert note in member.text("main")
        flagger.open("/forum/c/lounge/")
        assert "Out of place" not in flagger.text("main")
        if outcome == "3":
            moderator.click(undo)
            until(lambda: not moderator.has(undo), "the decision is not taken back")
    wrong += member.faults_here("notifications-warned")
    member.open("/forum/t/13/")
    assert not member.has(".answer textarea")
    assert "takes no replies from you" in member.text(".nothing")
    wrong += member.faults_here("thread-silenced")
    member.open("/forum/new/")
    wrong += [fault for fault in member.faults_here("new-thread-silenced") if "403 (Forbidden)" not in fault]
    member.open(thread)
    wrong += member.faults_here("thread-hidden-own")
    moderator.open("/moderation/")
    moderator.click(undo)
    until(lambda: not moderator.has(undo), "the decision is not taken back")
    answer(member, thread, "I am sorry.", becomes=2)
    assert "\n".join(wrong) == ""


def test_moderator_renames_and_merges_tags(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.sign_in("moderator")
    browser.open("/forum/new/?category=lounge")
    browser.write("[name=title]", "With tags of its own")
    browser.write("[name=source]", "Look below.")
    browser.write("[name=tags]", "cabels, wires")
    browser.click(".row .button:not(.quiet)")
    browser.find(".posts")
    thread = path_of(browser)
    browser.open("/tags/cabels/edit/")
    browser.write("[name=name]", "cables")
    browser.write("[name=description]", "What machines hang on.")
    browser.click("form.form .button")
    assert browser.text("h1") == "cables"
    assert "also: cabels" in browser.text(".heading .meta")
    wrong = browser.faults_here("tag-renamed")
    browser.open("/tags/wires/edit/")
    browser.write("[name=merge_into]", "no-such-tag")
    browser.click("form.form .button")
    assert "no such tag" in browser.text(".notice.warning")
    wrong += browser.faults_here("tag-edit-refused")
    browser.write("[name=merge_into]", "cables")
    browser.click("form.form .button")
    assert browser.text("h1") == "cables"
    for old in ("cabels", "wires"):
        browser.open(f"/tags/{old}/")
        assert browser.text("h1") == "cables"
        assert "With tags of its own" in browser.text("main")
    wrong += browser.faults_here("tag-merged")

    def renamed() -> bool:  # by a worker
        browser.open(thread)
        return browser.text(".heading .meta").split() == ["cables"]

    until(renamed, "the thread has the old names")
    assert "\n".join(wrong) == ""
