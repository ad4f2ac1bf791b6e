"""Translations: complete, with the same places for values, and read by gettext as they were written."""

import gettext
import importlib
import importlib.util
import io
import re
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.server import translations

ROOT = Path(__file__).parents[2]
EMPTY = re.compile(r'^msgstr(\[\d\])? ""$', re.MULTILINE)
PLACE = re.compile(r"%\(\w+\)[sd]|%d|\{\w*\}")


def messages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("messages", ROOT / "scripts/messages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_message_has_its_translations_and_no_others_are_kept() -> None:
    stale = [str(path) for path, text in messages().files().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run `.venv/bin/python scripts/messages.py`"
    empty = [str(path) for path, text in messages().files().items() if EMPTY.search(text.partition("\n\n")[2])]
    assert empty == []


def said_by_packages() -> set[str]:
    """Return what allauth and Django's accounts say, by their own catalogues."""
    found: set[str] = set()
    for package in ("allauth", "django.contrib.auth"):
        folder = Path(str(importlib.import_module(package).__file__)).parent
        found |= {key.partition("\0")[0] for key in translations.read(folder / "locale/de/LC_MESSAGES/django.po")}
    return found


def test_words_for_what_packages_say_are_of_messages_that_they_have() -> None:
    folder = translations.HERE / "accounts/words"
    words = {path.stem: set(translations.read(path)) - {""} for path in folder.glob("*.po")}
    assert set(words) == {"en", "de", "fr"}
    assert words["en"] == words["de"] == words["fr"]
    assert {key.partition("\0")[0] for key in words["en"]} - said_by_packages() == set()


@pytest.mark.parametrize("language", ["de", "en", "fr"])
def test_translation_has_the_places_of_its_message(language: str) -> None:
    wrong = []
    for message, translated in translations.merged(language).items():
        if not message:
            continue
        wanted = set(PLACE.findall(message))
        wrong += [message for form in translated.split("\0") if set(PLACE.findall(form)) != wanted]
    assert wrong == []


def test_what_is_compiled_is_what_gettext_reads() -> None:
    catalogue = gettext.GNUTranslations(io.BytesIO(translations.compiled(translations.merged("fr"))))
    assert catalogue.gettext("Tags") == "Étiquettes"
    assert [catalogue.ngettext("reply", "replies", n) for n in (0, 1, 2)] == ["réponse", "réponse", "réponses"]
    assert catalogue.gettext("never said") == "never said"


@given(
    st.dictionaries(
        st.text('ab\n"\\é', min_size=1, max_size=9), st.text('xy\n"\\ß', min_size=1, max_size=9), max_size=9
    )
)
def test_any_messages_read_back(pairs: dict[str, str]) -> None:
    header = {"": "Content-Type: text/plain; charset=UTF-8\n"}
    catalogue = gettext.GNUTranslations(io.BytesIO(translations.compiled(header | pairs)))
    assert {message: catalogue.gettext(message) for message in pairs} == pairs


def test_po_file_is_read_with_its_escapes_plurals_and_contexts(tmp_path: Path) -> None:
    path = tmp_path / "x.po"
    path.write_text(
        '# by hand\nmsgid ""\nmsgstr "Language: x\\n"\n\n'
        'msgid "a \\"b\\"\\n"\nmsgstr "c"\n"d"\n\nmsgctxt "k"\nmsgid "m"\n'
        'msgstr "n"\n\nmsgid "one"\nmsgid_plural "many"\nmsgstr[0] "1"\nmsgstr[1] "2"\n\nmsgid "empty"\nmsgstr ""\n'
    )
    assert translations.read(path) == {
        "": "Language: x\n",
        'a "b"\n': "cd",
        "k\x04m": "n",
        "one\x00many": "1\x002",
    }


def test_no_template_writes_a_colon_behind_a_translated_label() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {found}"
        for path in sorted((ROOT / "src/jeos/server").glob("**/jinja2/**/*.html"))
        for found in re.findall(r"_\([^{}]*\)[^{}]*\}\}:\s[^\n]{0,20}", path.read_text(encoding="utf-8"))
    ]
    assert wrong == [], "write {{ colon }}: languages differ in what stands before it"


def test_colon_of_french_has_a_space_that_does_not_break() -> None:
    said = {language: translations.merged(language)[":"] for language in ("de", "fr")}
    assert said == {"de": ":", "fr": "\N{NO-BREAK SPACE}:"}
