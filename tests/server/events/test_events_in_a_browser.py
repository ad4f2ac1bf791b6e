"""Events in a browser: what visitors, members and organisers do, with and without scripts, and what axe-core finds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from browser_site import LOOKS, WITH_AND_WITHOUT_SCRIPTS, Browser, judge_as, look, until

pytestmark = pytest.mark.browser
DAYS = f"/events/appliance-days-{(datetime.now(UTC) + timedelta(days=24)).year}/"
MEETUP = f"/events/update-meetup-{(datetime.now(UTC) - timedelta(days=40)).year}/"
PAGES = {
    "events": "/events/",
    "events-past": "/events/past/",
    "event": DAYS,
    "event-schedule": f"{DAYS}schedule/",
    "event-list": f"{DAYS}schedule/?view=list",
    "event-sessions": f"{DAYS}sessions/",
    "event-speakers": f"{DAYS}speakers/",
    "event-speaker": f"{DAYS}speakers/kestrel/",
    "event-versions": f"{DAYS}versions/",
    "event-topics": f"{DAYS}topics/",
    "event-call": f"{DAYS}call/",
    "event-session": f"{DAYS}sessions/2/",
    "event-rated": f"{MEETUP}sessions/18/",
}
OWN = {"event-agenda": f"{DAYS}agenda/", "event-submit": f"{DAYS}call/submit/", "event-own": f"{DAYS}sessions/16/"}
ORGANISERS = {
    "event-new": "/events/new/",
    "event-placing": f"{DAYS}manage/",
    "event-edit": f"{DAYS}manage/event/",
    "event-parts": f"{DAYS}manage/parts/",
    "event-people": f"{DAYS}manage/people/",
    "event-review": f"{DAYS}review/",
    "event-review-one": f"{DAYS}review/15/",
}


@pytest.mark.parametrize("name", LOOKS)
def test_every_kind_of_page_is_accessible_and_fits_the_screen(browse: Callable[..., Browser], name: str) -> None:
    assert "\n".join(judge_as(browse, name, visitor=PAGES, member=PAGES | OWN, admin=ORGANISERS)) == ""


@WITH_AND_WITHOUT_SCRIPTS
def test_member_puts_sessions_into_the_agenda(browse: Callable[..., Browser], script: bool) -> None:
    browser = browse(script=script)
    browser.sign_in("member")
    number = 9 if script else 10
    browser.open(f"{DAYS}schedule/")
    star = f"button[formaction*='/sessions/{number}/star/']"
    browser.click(f".grid-view {star}[aria-pressed='false']")
    browser.find(f"{star}[aria-pressed='true']")
    if script:  # both of its stars, and the keyboard is where it was
        assert len(browser.driver.find_elements("css selector", f"{star}[aria-pressed='true']")) == 2
        assert browser.driver.execute_script("return document.activeElement.id") == f"t{number}"
    browser.open(f"{DAYS}agenda/")
    assert "at the same time" in browser.text(".notice.warning")
    browser.find(f"{star}[aria-pressed='true']")
    assert browser.text(".secret").endswith(".ics")
    browser.open(f"{DAYS}topics/")
    browser.click(".topic-line:last-child .vote-button[aria-pressed='false']")
    browser.find(".vote-button[aria-pressed='true']")
    browser.open(f"{DAYS}topics/")
    browser.click(".topic-line .vote-button[aria-pressed='true']")
    assert browser.complaints() == []


def test_phone_shows_a_list_and_a_desktop_a_table(browse: Callable[..., Browser]) -> None:
    phone, desktop = browse(**look("phone-light")), browse(**look("desktop-light"))
    for browser in (phone, desktop):
        browser.open(f"{DAYS}schedule/")
    shown = [
        [browser.find(f"{view}-view").is_displayed() for view in (".grid", ".list")] for browser in (phone, desktop)
    ]
    assert shown == [[False, True], [True, False]]
    desktop.click(".plan-tools .wide-only")
    until(lambda: desktop.find(".list-view").is_displayed(), "the list is not shown")


def test_session_goes_from_the_call_to_the_schedule(browse: Callable[..., Browser]) -> None:
    speaker, organiser = browse(), browse()
    speaker.sign_in("member")
    speaker.open(f"{DAYS}call/")
    speaker.click("a[href$='/submit/']")
    speaker.write("[name=title]", "Cupboards and cooling")
    speaker.write("[name=source]", "How *warm* it gets.")
    speaker.driver.execute_script("document.querySelector('[name=type]').selectedIndex = 1")
    speaker.click("form.form .row .button:not(.quiet)")
    assert speaker.text("h1") == "Cupboards and cooling"
    number = speaker.driver.current_url.split("/sessions/")[1].split("/")[0]
    organiser.sign_in("admin")
    organiser.open(f"{DAYS}review/{number}/")
    organiser.click(".decide .button[value='1']")
    organiser.find(".status.state-1")
    speaker.open(f"{DAYS}sessions/{number}/")
    speaker.click("form.notice .button")
    speaker.find(".notice:not(.success)")
    organiser.open(f"{DAYS}manage/")
    row = f"form[action$='/manage/schedule/{number}/']"
    first = organiser.find(".place-row input[name=begins]").get_attribute("value")
    organiser.driver.execute_script(
        f'document.querySelector("{row} [name=begins]").value = arguments[0];'
        f'document.querySelector("{row} [name=room]").selectedIndex = 1',
        first,
    )
    organiser.click(f"{row} .button")
    shown = "return document.querySelector('#release ~ details, #editor').textContent"  # read at once: it is swapped
    until(lambda: "1 change" in organiser.driver.execute_script(shown), "the change is not shown")
    organiser.click("form[action$='/release/'] .button")
    organiser.find(".notice.success")
    speaker.open(f"{DAYS}versions/")
    assert "Cupboards and cooling" in speaker.text(".revision")
    assert speaker.complaints() == organiser.complaints() == []


def test_member_rates_a_session_that_was_held(browse: Callable[..., Browser]) -> None:
    member, moderator = browse(), browse()
    member.sign_in("member")
    moderator.sign_in("moderator")
    member.open(f"{MEETUP}sessions/18/")
    member.click("form[action$='/rate/'] [name=stars][value='2']")
    member.write("form[action$='/rate/'] [name=words]", "I could not hear it at the back")
    member.click("form[action$='/rate/'] .button")
    assert "I could not hear it" in member.text("main")
    wrong = member.faults_here("session-rated-own")
    moderator.open(f"{MEETUP}sessions/18/")
    own = ".post:has(a[href='/m/member/']) form[action$='/hide/'] button"
    moderator.click(own)
    moderator.find(".post.is-hidden")
    wrong += moderator.faults_here("session-rating-hidden")
    visitor = browse()
    visitor.open(f"{MEETUP}sessions/18/")
    assert "I could not hear it" not in visitor.text("main")
    moderator.click(own)

    def shown() -> bool:  # pages of visitors are kept for some seconds
        visitor.open(f"{MEETUP}sessions/18/")
        return "I could not hear it" in visitor.text("main")

    until(shown, "what is shown again is not seen")
    assert "\n".join(wrong) == ""
