"""A member's way in a browser: invited, told by mail, gone with the data; and a second factor from an application."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from authenticator import code
from browser_site import Browser, Site, until

pytestmark = pytest.mark.browser
HANDLE, ADDRESS, PASSPHRASE = "newcomer", "newcomer@there.example", "a horse, and three staples"
A_NIGHT_LATER = """
from datetime import timedelta
from django.utils import timezone
from jeos.server.content.mailing import digests, tasks
from jeos.server.content.models import Notification
tasks.mail_notifications.call()
now = timezone.now()
Notification.objects.filter(member__handle="newcomer").update(date=now - timedelta(days=2))
print(digests.write_due(now=now))
"""
DAILY, NEVER = "2", "0"


def chosen(browser: Browser, name: str) -> str | None:
    return browser.find(f"[name={name}] option:checked").get_attribute("value")


def path_in(letter: str, part: str) -> str:
    """Return the path of the first address in a letter that has some part."""
    found = re.search(rf"https?://\S*{re.escape(part)}\S*", letter)
    assert found is not None, letter
    return urlsplit(found[0]).path


def test_newcomer_is_invited_told_by_mail_and_leaves_with_the_data(
    site: Site, browse: Callable[..., Browser], tmp_path: Path
) -> None:
    admin, newcomer, moderator = browse(), browse(), browse()
    wrong: list[str] = []

    # By invitation only.
    admin.sign_in("admin")
    admin.open("/administration/site/")
    admin.click("[name=entry] option[value='1']")
    admin.click("#content form.form .button:not(.quiet)")
    newcomer.open("/accounts/signup/")
    assert not newcomer.has("[name=password1]")
    wrong += newcomer.faults_here("sign-up-closed")
    admin.write("[name=note]", "the newcomer")
    admin.click("form[action$='/invitations/'] .button")
    invitation = admin.text(".card .secret")
    wrong += admin.faults_here("admin-invitation")
    newcomer.open(urlsplit(invitation).path)
    newcomer.write("[name=email]", ADDRESS)
    newcomer.write("[name=username]", HANDLE)
    newcomer.write("[name=password1]", PASSPHRASE)
    newcomer.click("form.form button[type=submit]")
    letter = site.await_letter(ADDRESS, words="/accounts/confirm-email/")
    wrong += newcomer.faults_here("sign-up-confirm")
    newcomer.open(path_in(letter, "/accounts/confirm-email/"))
    wrong += newcomer.faults_here("sign-up-confirmed")
    newcomer.click("form.form button[type=submit]")
    if not newcomer.has("header .menu"):
        newcomer.site = replace(site, passphrase=PASSPHRASE)
        newcomer.sign_in(HANDLE)

    # Mail once a day, and no more of it.
    newcomer.open("/settings/")
    newcomer.click(f"[name=mail_personal] option[value='{DAILY}']")
    newcomer.click(".form:not(.face) .button")
    newcomer.find(".notice.success")
    moderator.sign_in("moderator")
    moderator.open("/forum/new/?category=lounge")
    moderator.write("[name=title]", "A warm welcome")
    moderator.write("[name=source]", f"@{HANDLE}: look around.")
    moderator.click(".row .button:not(.quiet)")
    moderator.find(".posts")

    def told() -> bool:
        newcomer.open("/notifications/")
        return "A warm welcome" in newcomer.text("main")

    until(told, "the newcomer is not told")
    wrong += newcomer.faults_here("newcomer-notifications")
    assert site.ask(A_NIGHT_LATER) == "1\n"
    digest = site.await_letter(ADDRESS, words="/mail/stop/")
    assert "A warm welcome" in digest
    reader = browse()  # of mail, who is not signed in
    reader.open(path_in(digest, "/mail/stop/"))
    wrong += reader.faults_here("mail-stop")
    newcomer.open("/settings/")
    assert chosen(newcomer, "mail_personal") == DAILY  # looking ends nothing
    reader.click("main form .button")
    assert "No more mail of this kind" in reader.text("h1")
    wrong += reader.faults_here("mail-stopped")
    newcomer.open("/settings/")
    assert chosen(newcomer, "mail_personal") == NEVER

    # Something written, taken along, and left behind without a name.
    newcomer.open("/forum/new/?category=lounge")
    newcomer.write("[name=title]", "Written before leaving")
    newcomer.write("[name=source]", "It *stays* readable.")
    newcomer.click(".row .button:not(.quiet)")
    newcomer.find(".posts")
    thread = newcomer.driver.current_url.removeprefix(site.address)
    newcomer.driver.execute_cdp_cmd("Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    newcomer.open("/settings/data/")
    newcomer.click("form[action$='/download/'] button")
    taken = tmp_path / f"{HANDLE}.json"
    until(taken.exists, "nothing was downloaded")
    data = json.loads(taken.read_text(encoding="utf-8"))
    assert (data["member"]["handle"], data["member"]["email"]) == (HANDLE, ADDRESS)
    assert [post["source"] for post in data["posts"]] == ["It *stays* readable."]
    newcomer.write("[name=handle]", "somebody")
    newcomer.click(".button.danger")
    assert "That is not your handle." in newcomer.text(".error")
    wrong += newcomer.faults_here("leave-refused")
    newcomer.write("[name=handle]", HANDLE)
    newcomer.click(".button.danger")
    until(lambda: not newcomer.has("header .menu"), "who left is still signed in")
    newcomer.open(thread)
    assert newcomer.text(".post .text") == "It stays readable."
    assert HANDLE not in newcomer.driver.page_source
    wrong += newcomer.faults_here("thread-of-who-left")
    newcomer.open("/accounts/login/")
    newcomer.write("[name=login]", HANDLE)
    newcomer.write("[name=password]", PASSPHRASE)
    newcomer.click("form.form button[type=submit]")
    newcomer.find(".notice.warning")
    wrong += newcomer.faults_here("sign-in-refused")
    reader.open(f"/m/{HANDLE}/")
    assert "404" in "".join(reader.complaints())
    assert "\n".join(wrong) == ""


def test_member_signs_in_with_a_code_of_an_application_and_a_recovery_code(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.sign_in("member")
    browser.open("/accounts/2fa/totp/activate/")
    browser.write("[name=password]", browser.site.passphrase)
    browser.click("form.form button[type=submit]")
    secret = str(browser.find("#authenticator_secret").get_attribute("value"))
    wrong = browser.faults_here("factor-add")
    assert browser.find("img.scanned").value_of_css_property("background-color") == "rgba(255, 255, 255, 1)"

    def give_code() -> bool:  # again if its half minute ends meanwhile
        if browser.has("[name=code]"):
            browser.write("[name=code]", code(secret, time.time()))
            browser.click("form.form button[type=submit]")
        return not browser.has("[name=code]")

    until(give_code, "the code is not taken")
    browser.open("/accounts/2fa/recovery-codes/")
    recovery = str(browser.find("#recovery_codes").get_attribute("value")).split()[0]
    wrong += browser.faults_here("factor-recovery")
    for last in (give_code, None):
        browser.driver.delete_all_cookies()
        browser.open("/accounts/login/")
        browser.write("[name=login]", "member")
        browser.write("[name=password]", browser.site.passphrase)
        browser.click("form.form button[type=submit]")
        browser.find("[name=code]")
        wrong += browser.faults_here("factor-asked") if last else []
        if last:
            until(last, "the code is not taken")
        else:
            browser.write("[name=code]", recovery)
            browser.click("form.form button[type=submit]")
        browser.find("header .menu")
    assert "\n".join(wrong) == ""
