"""Attaching files in a browser: chosen, dropped and pasted with scripts, sent with the form without; how they look."""

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import upload_files
from browser_site import LOOKS, Browser, judge, look, until

pytestmark = pytest.mark.browser
WRITE = "/comment/6/2/"  # on an idea
DROP = """
const [text, name, data, how] = arguments;
const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
const carried = new DataTransfer();
carried.items.add(new File([bytes], name, {type: "image/png"}));
const options = {bubbles: true, cancelable: true};
text.focus();
text.dispatchEvent(how === "drop"
  ? new DragEvent("drop", {...options, dataTransfer: carried})
  : new ClipboardEvent("paste", {...options, clipboardData: carried}));
"""


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    path = tmp_path / "rack.jpg"
    path.write_bytes(upload_files.photograph(900, 600))
    return path


def source(browser: Browser) -> str:
    return str(browser.find("#id_source").get_property("value"))


@pytest.mark.parametrize("name", LOOKS)
def test_pages_of_files_are_accessible_and_fit_the_screen(
    browse: Callable[..., Browser], photograph: Path, name: str
) -> None:
    browser = browse(**look(name))
    browser.sign_in("member")
    browser.open("/settings/")
    browser.find("#face").send_keys(str(photograph))
    browser.click(".form.face .button")
    browser.find(".form.face img.avatar")
    browser.open(WRITE)
    browser.write("[name=source]", "It looks like this:")
    browser.find("#id_source-files").send_keys(str(photograph))
    until(lambda: "attachment:" in source(browser), "the picture is written into the text")
    if os.environ.get("JEOS_SCREENSHOTS"):
        browser.shoot(Path(os.environ["JEOS_SCREENSHOTS"]) / f"attach-write-{name}.png")
    browser.click(".row .button:not(.quiet)")
    browser.find(".text a.picture img")
    idea = browser.driver.current_url.removeprefix(browser.site.address).partition("#")[0]
    file = browser.find(".text a.picture").get_dom_attribute("href")
    assert file is not None
    about = file.rsplit("/", 1)[0] + "/"
    pages = {"attach-idea": idea, "attach-files": "/files/", "attach-file": about, "attach-settings": "/settings/"}
    assert judge(browser, pages | {"attach-form": WRITE}, f"member-{name}") == []


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_picture_is_dropped_or_pasted_into_a_text(browse: Callable[..., Browser], how: str) -> None:
    browser = browse()
    browser.sign_in("member")
    browser.open(WRITE)
    browser.write("[name=source]", "before")
    data = base64.b64encode(upload_files.drawing()).decode()
    browser.driver.execute_script(DROP, browser.find("#id_source"), "rack.png", data, how)
    until(lambda: "![rack.webp](attachment:" in source(browser), "the picture is written into the text")
    assert source(browser).startswith("before\n\n![rack.webp]")
    assert browser.has(".attached li img")
    assert browser.find("#id_source-files").get_property("value") == ""
    assert browser.complaints() == []


def test_file_that_is_not_taken_is_said_and_nothing_is_written(browse: Callable[..., Browser], tmp_path: Path) -> None:
    (tmp_path / "page.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    browser = browse()
    browser.sign_in("member")
    browser.open(WRITE)
    browser.write("[name=source]", "before")
    browser.find("#id_source-files").send_keys(str(tmp_path / "page.svg"))
    assert "page.svg is of a kind that is not taken here" in browser.text(".attached .error")
    assert source(browser) == "before"
    assert browser.complaints() == []


def test_file_goes_with_the_form_without_a_script(browse: Callable[..., Browser], photograph: Path) -> None:
    browser = browse(script=False)
    browser.sign_in("member")
    browser.open(WRITE)
    browser.write("[name=source]", "It looks like this:")
    browser.find("#id_source-files").send_keys(str(photograph))
    browser.click("[name=preview]")
    browser.find("#preview a.picture img")
    assert "It looks like this:\n\n![rack.webp](attachment:" in source(browser)
    browser.click(".row .button:not(.quiet)")
    picture = browser.find(".comments .text a.picture img")
    assert (picture.get_dom_attribute("width"), picture.get_dom_attribute("height")) == ("600", "900")
    assert browser.complaints() == []
