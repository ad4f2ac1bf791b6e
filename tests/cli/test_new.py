import filecmp
import json
import os
import runpy
import threading
import urllib.request
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from jeos.build import scaffold
from jeos.build.load import load
from jeos.cli.main import main
from jeos.core.run import run

EXAMPLE = Path(__file__).parents[2] / "examples/web"


def files_below(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and "build" not in path.parts
    )


@pytest.mark.parametrize("template", scaffold.templates())
def test_template_makes_a_recipe_that_loads(template: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "shop"
    assert main(["new", "shop", "--template", template, "--folder", str(folder)]) == 0
    assert sorted(capsys.readouterr().out.split()) == sorted(str(folder / name) for name in files_below(folder))
    recipe = load(folder)
    assert (recipe.name, recipe.summary) == ("shop", scaffold.templates()[template])
    assert recipe.health, "a template shows how its appliance is watched"
    assert not [path for path in folder.rglob("*") if path.is_file() and b"@NAME@" in path.read_bytes()]
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def made_later(path: str) -> bool:
    return path == "appliance.lock"


def test_example_is_what_the_web_template_makes(tmp_path: Path) -> None:
    scaffold.make(tmp_path / "hello", name="hello", template="web")
    names = files_below(tmp_path / "hello")
    assert [name for name in files_below(EXAMPLE) if not made_later(name)] == names
    assert filecmp.cmpfiles(EXAMPLE, tmp_path / "hello", names, shallow=False) == (names, [], [])


def test_new_lists_the_templates(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in listed] == ["database", "minimal", "python-app", "web"]
    assert main(["new", "--list"]) == 0
    assert "python-app  A web application in Python" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["new"], "a new appliance needs a name"),
        (
            ["new", "x", "--template", "shop"],
            "there is no template shop\nhint: there are database, minimal, python-app, web",
        ),
        (["new", "Über"], "Über cannot be an appliance's name"),
        (["new", "full"], "full is there already, and not empty"),
    ],
)
def test_new_refuses(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").write_text("kept")
    assert main(words) == 2
    assert message in capsys.readouterr().err
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["full", "full/mine"]


def test_application_of_the_template_greets_and_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scaffold.make(tmp_path / "app", name="app", template="python-app")
    monkeypatch.setenv("GREETING", "Hi <you>")
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), runpy.run_path(str(tmp_path / "app/app.py"))["Handler"])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        for visit in (1, 2):
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_address[1]}/") as answer:
                page = answer.read().decode()
            assert "<h1>Hi &lt;you&gt;</h1>" in page and f"asked for {visit} times" in page
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_database_of_the_template_is_not_made_without_a_password(tmp_path: Path) -> None:
    scaffold.make(tmp_path / "db", name="db", template="database")
    done = run(
        [tmp_path / "db/prepare"], env={"CREDENTIALS_DIRECTORY": str(tmp_path), "PATH": os.environ["PATH"]}, check=False
    )
    assert (done.status, done.stderr) == (1, b"the property password is not set, and the database would have none\n")
