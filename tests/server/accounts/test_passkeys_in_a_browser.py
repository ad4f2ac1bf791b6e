"""A passkey: added and signed in with, in Chromium with a made-up authenticator, under the strict policy."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions

from browser_site import Browser

pytestmark = pytest.mark.browser


def test_member_signs_in_with_a_passkey_alone(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.site = replace(browser.site, address=browser.site.address.replace("127.0.0.1", "localhost"))  # no IP may
    options = VirtualAuthenticatorOptions()
    options.transport, options.protocol = "internal", "ctap2"
    options.has_resident_key = options.has_user_verification = True
    options.is_user_verified = options.is_user_consenting = True
    browser.driver.add_virtual_authenticator(options)
    browser.sign_in("member")
    browser.open("/accounts/2fa/webauthn/add/")
    browser.write("[name=password]", browser.site.passphrase)
    browser.click("form.form button[type=submit]")
    browser.click("[name=passwordless]")
    browser.click("#mfa_webauthn_add")
    assert "Security key added" in browser.text(".notice.success")
    browser.driver.delete_all_cookies()
    browser.open("/accounts/login/")
    browser.click("#passkey_login")
    browser.find("header .menu")
    browser.open("/settings/")
    assert browser.complaints() == []
