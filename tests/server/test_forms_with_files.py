"""Forms that take files say so: every page of the example community that has one, whoever sees it."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
from django.test import Client
from django.urls import Resolver404, resolve

import jeos.server
from jeos.server import demo
from jeos.server.accounts.models import Member
from jeos.server.content import kinds
from server_site import signed_in

pytestmark = pytest.mark.django_db
SOURCE = Path(jeos.server.__file__).parent
TAKES_FILES = re.compile(r'type="file"|\beditor\(|\battach\(')  # the macros of server/parts.html
LINK = re.compile(r'href="(/[^/"#?][^"#?]*)')
OF_EACH = 3  # pages of each view
FILES = "multipart/form-data"
UNLINKED = ("/wiki/not-there/edit/", f"/comment/{kinds.IDEA}/1/")


class Forms(HTMLParser):
    """Finds in a page the forms that have a field for files, and how they are sent."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}  # the field's name → how its form is sent
        self._sent = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a form, or a field for files in it."""
        said = dict(attrs)
        if tag == "form":
            self._sent = f"{said.get('method')} {said.get('enctype')}"
        if tag == "input" and said.get("type") == "file":
            self.found[str(said.get("name"))] = self._sent

    def handle_endtag(self, tag: str) -> None:
        """Note the end of a form."""
        if tag == "form":
            self._sent = ""


def pages(client: Client, start: str) -> dict[str, str]:
    """Return the pages that links lead to, some of each view, by address."""
    found: dict[str, str] = {}
    seen: Counter[str] = Counter()
    known, waiting = {start}, [start]
    while waiting:
        address = waiting.pop(0)
        try:
            view = resolve(address).view_name
        except Resolver404:
            continue
        seen[view] += 1
        if seen[view] > OF_EACH or "logout" in view:
            continue
        answer = client.get(address, follow=True)
        if answer.status_code != 200 or not answer.headers["Content-Type"].startswith("text/html"):
            continue
        found[address] = answer.content.decode()
        fresh = [link for link in LINK.findall(found[address]) if link not in known]
        known.update(fresh)
        waiting += dict.fromkeys(fresh)
    return found


def test_every_form_with_files_sends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: set[str] = set()
    load = jinja2.Environment.get_template

    def noted(self: jinja2.Environment, name: str | jinja2.Template, *rest: object) -> jinja2.Template:
        rendered.add(name if isinstance(name, str) else str(name.name))
        return load(self, name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(jinja2.Environment, "get_template", noted)
    demo.fill()
    wrong: list[str] = []
    for handle in ("admin", "member"):
        client = signed_in(Member.objects.get(handle=handle))
        shown = pages(client, "/") | {one: client.get(one).content.decode() for one in UNLINKED}
        for address, page in shown.items():
            forms = Forms()
            forms.feed(page)
            wrong += [f"{address}: {name} by {sent}" for name, sent in forms.found.items() if sent != f"post {FILES}"]
    assert wrong == []
    templates = {
        str(path.relative_to(path.parents[1]))
        for path in [*SOURCE.glob("*/jinja2/*/*.html"), *SOURCE.glob("jinja2/*/*.html")]
        if TAKES_FILES.search(path.read_text(encoding="utf-8"))
    }
    assert templates - rendered == set()
