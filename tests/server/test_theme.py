"""A site's own style sheet, logo and icon: served by the real application, and nothing of them where there are none."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jeos.server import theme
from jeos.server.theme import Theme

ASK = """
import django, io, json, re, sys
from jeos.server import start
django.setup()
start._collect_static()
from jeos.server.wsgi import application
def get(path):
    answer = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "testserver",
        "SERVER_PORT": "80", "HTTP_HOST": "localhost", "wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr, "REMOTE_ADDR": "127.0.0.1"}
    body = b"".join(application(environ, lambda status, headers, *_: answer.append((status, dict(headers)))))
    return answer[0][0], answer[0][1], body.decode()
seen = {}
for page in ("/", "/accounts/login/"):
    html = get(page)[2]
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', html)
    seen[page] = sheets, re.findall(r'<img class="mark" src="([^"]+)"', html)
sheet = seen["/"][0][-1]
status, headers, text = get(sheet)
print(json.dumps([seen, status, headers.get("Cache-Control"), headers.get("Content-Type"), text]))
"""


def ask(data: Path) -> "subprocess.CompletedProcess[str]":
    """Start a site from a folder and ask it for pages and its last style sheet."""
    settings = "jeos.server.settings"
    env = {**os.environ, "JEOS_SERVER_DATA": str(data), "DATABASE_URL": "", "DJANGO_SETTINGS_MODULE": settings}
    env.pop("JEOS_SERVER_URL", None)
    return subprocess.run([sys.executable, "-c", ASK], env=env, capture_output=True, text=True)


def test_theme_is_what_the_folder_has(tmp_path: Path) -> None:
    assert (theme.read(tmp_path), theme.folders(tmp_path)) == (Theme(), [])
    folder = tmp_path / "theme"
    folder.mkdir()
    for name in ("site.css", "logo.png", "icon.svg", "other.css"):
        (folder / name).touch()
    assert theme.read(tmp_path) == Theme(sheet="theme/site.css", logo="theme/logo.png", icon="theme/icon.svg")
    assert theme.folders(tmp_path) == [("theme", folder)]


def test_site_is_served_in_its_own_colours_for_good(tmp_path: Path, empty_database: Path) -> None:
    shutil.copy(empty_database, tmp_path / "exchange.sqlite3")
    folder = tmp_path / "theme"
    folder.mkdir()
    (folder / "site.css").write_text(":root { --accent: #7a1f5c; background: url(back.png) }\n")
    (folder / "back.png").write_bytes(b"x")
    (folder / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    answer = ask(tmp_path)
    assert answer.returncode == 0, answer.stderr
    seen, status, cache, kind, text = json.loads(answer.stdout.splitlines()[-1])
    for sheets, logos in seen.values():
        assert [sheet.split(".")[0] for sheet in sheets] == ["/static/server/site", "/static/theme/site"]
        assert [logo.split(".")[0] for logo in logos] == ["/static/theme/logo"]
    assert (status, cache) == ("200 OK", "max-age=315360000, public, immutable")
    assert kind.startswith("text/css")
    assert '--accent: #7a1f5c; background: url("back.' in text


def test_style_sheet_that_names_a_missing_file_is_said_at_the_start(tmp_path: Path) -> None:
    folder = tmp_path / "theme"
    folder.mkdir()
    (folder / "site.css").write_text("body { background: url(gone.png) }")
    answer = ask(tmp_path)
    assert "a style sheet names a file that is not there" in answer.stderr
    assert "gone.png" in answer.stderr


@pytest.mark.parametrize("name", ["logo.svg", "logo.png", "logo.webp"])
def test_logo_may_be_of_each_kind(tmp_path: Path, name: str) -> None:
    (tmp_path / "theme").mkdir()
    (tmp_path / "theme" / name).touch()
    assert theme.read(tmp_path).logo == f"theme/{name}"
