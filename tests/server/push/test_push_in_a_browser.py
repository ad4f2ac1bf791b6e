"""Push in a browser: the page in every look, with and without scripts. Push services are not reached from tests."""

from collections.abc import Callable, Iterator

import pytest

from browser_site import LOOKS, Browser, Site, demo_site, judge_as

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Serve the example community with push switched on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JEOS_SERVER_PUSH", "mailto:ada@mail.example")
        with demo_site() as site:
            yield site


@pytest.mark.parametrize("name", LOOKS)
def test_page_is_accessible_and_fits_the_screen(browse: Callable[..., Browser], name: str) -> None:
    assert "\n".join(judge_as(browse, name, member={"push": "/settings/push/"})) == ""


def test_page_says_what_it_needs_without_scripts(browse: Callable[..., Browser]) -> None:
    browser = browse(script=False)
    browser.sign_in("member")
    browser.open("/settings/push/")
    assert "needs scripts" in browser.text("[data-push=script]")
    assert not browser.find("#push-add").is_displayed()
