"""What every search index must do; runs on the database in use: SQLite here, PostgreSQL in `test_on_postgres.py`."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from jeos.server.accounts.models import Member
from jeos.server.content.kinds import POST, THREAD
from jeos.server.content.search import Entry, Hit, index, languages, parse, tsvector
from jeos.server.content.search.languages import Language
from jeos.server.content.search.query import Query, clean

pytestmark = pytest.mark.django_db
START = datetime(2026, 1, 1, tzinfo=UTC)


def head(
    number: int, title: str, body: str = "", *, tags: tuple[str, ...] = (), area: int = 0, author: int = 1
) -> Entry:
    when = START + timedelta(hours=number)
    return Entry(THREAD, number, True, when, area=area, author=author, title=title, body=body, tags=tags)


def reply(number: int, body: str, *, area: int = 0, author: int = 1) -> Entry:
    return Entry(POST, number, False, START + timedelta(hours=number), area=area, author=author, body=body)


def found(text: str, *, limit: int = 20, hidden: tuple[int, ...] = ()) -> list[tuple[int, int, int]]:
    hits = index().find(parse(text), limit=limit, hidden_areas=hidden)
    return [(hit.kind, hit.number, hit.tier) for hit in hits]


def test_hits_come_in_tiers_and_the_newest_first() -> None:
    index().put(
        [
            head(1, "Boot order", "it is wrong"),
            head(2, "Something else", "about the boot order"),
            reply(3, "the boot order again"),
            head(4, "The order of boot", "newer"),
            reply(5, "boot order, newest"),
            head(6, "Unrelated"),
        ]
    )
    assert found("boot order") == [(THREAD, 4, 0), (THREAD, 1, 0), (THREAD, 2, 1), (POST, 5, 2), (POST, 3, 2)]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite walks through all hits")
@pytest.mark.parametrize("limit", [1, 3, 20])
@pytest.mark.parametrize(
    "text",
    ["boot", "boot order", '"boot order"', "boot -wrong", "boot tag:uefi", "boot kind:post", "boot after:2026-01-01"],
)
def test_few_hits_are_sorted_as_many_are_walked_through(text: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    index().put(
        [
            *(
                head(n, f"Boot {n}", "the order is wrong" if n % 3 else "order of boot", tags=("uefi",))
                for n in range(6)
            ),
            *(head(n, f"Words {n}", "boot order", area=n % 2, tags=("uefi", "boot")) for n in range(6, 12)),
            *(reply(n, "wrong boot order" if n % 2 else "boot") for n in range(12, 20)),
        ]
    )
    ways = []
    for dense in (True, False):
        for name in ("_many", "_dense"):
            monkeypatch.setattr(type(index()), name, lambda *_, dense=dense: dense)
        ways.append(found(text, limit=limit, hidden=(1,)))
    assert ways[0] and ways[0] == ways[1]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite walks through all hits")
def test_a_rare_word_is_not_taken_for_a_common_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tsvector, "_counted", (-math.inf, 1))
    index().put(
        [reply(n, f"kernel word{n % 150} word{n % 150 + 150} word{n % 150 + 300}") for n in range(600)], new=True
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE content_document")
    many = tsvector.TsvectorIndex()._many
    assert many(parse("kernel"), "", []) and many(parse("kernels"), "", [])
    assert not many(parse("rarely"), "", []) and not many(parse("kernel rarely"), "", [])
    monkeypatch.setattr(tsvector, "_counted", (-math.inf, 1))


def test_limit_cuts_the_worst() -> None:
    index().put([head(1, "disk"), head(2, "x", "disk"), reply(3, "disk")])
    assert found("disk", limit=1) == [(THREAD, 1, 0)]
    assert found("disk", limit=2) == [(THREAD, 1, 0), (THREAD, 2, 1)]


def test_phrase_is_found_in_its_order_only() -> None:
    index().put([head(1, "secure boot keys"), head(2, "boot is secure")])
    assert found('"secure boot"') == [(THREAD, 1, 0)]
    assert found("secure boot") == [(THREAD, 2, 0), (THREAD, 1, 0)]


def test_excluded_word_excludes() -> None:
    index().put([head(1, "disk on windows"), head(2, "disk on linux"), head(3, "disk", "windows")])
    assert found("disk -windows") == [(THREAD, 2, 0)]


def test_word_is_found_in_its_other_forms_and_in_any_case() -> None:
    index().put([head(1, "Machines that RESTARTED")])
    assert found("machine restart") == [(THREAD, 1, 0)]


GERMAN = "Der Kernel wird nicht geladen, und die Maschinen starten nicht über das Netz."
FRENCH = "Le noyau n'est pas chargé, et les machines ne démarrent pas sur le réseau de l'école."


@pytest.mark.parametrize(
    ("text", "body", "query"),
    [
        *(("The Who played", "Who are the Who?", '"the who"'), ("To be or not to be", "", "to be or not to be")),
        *(
            ("Was die anderen sagen", GERMAN, "die"),
            ("Die Maschine", GERMAN, "Maschinen"),
            ("Über uns", GERMAN, "über"),
        ),
        *(("Das Netz", GERMAN, '"das netz"'), ("Das Netz", GERMAN, '"über das Netz"'), ("x", GERMAN, "uber netz")),
        *(("Les machines", FRENCH, "les"), ("Le réseau", FRENCH, "réseau"), ("Le réseau", FRENCH, "reseau")),
        *(("x", FRENCH, '"le réseau"'), ("x", FRENCH, "école"), ("L'ÉCOLE", FRENCH, "ecole"), ("x", FRENCH, "chargé")),
        *(("Ein English title", GERMAN, "english"), ("Updates", GERMAN, "updates"), ("x", "Weiß und groß", "groß")),
    ],
)
def test_word_is_found_as_it_was_written_in_any_language(text: str, body: str, query: str) -> None:
    index().put([head(1, text, body), head(2, "Nothing", "like it")])
    assert [hit[:2] for hit in found(query)] == [(THREAD, 1)]


def test_what_must_not_occur_counts_in_every_language() -> None:
    index().put([head(1, "Kernel", GERMAN), head(2, "Kernel", FRENCH), head(3, "Kernel", "the machines do not start")])
    assert found("kernel -Maschinen") == [(THREAD, 3, 0), (THREAD, 2, 0)]
    assert found("kernel -réseau") == [(THREAD, 3, 0), (THREAD, 1, 0)]
    assert found("kernel -machines -geladen") == []


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite knows the forms of English words only")
@pytest.mark.parametrize(
    ("body", "query", "there"),
    [
        *((GERMAN, "Maschine", True), (GERMAN, "Netze", True), (GERMAN, "Netzes", True), (GERMAN, "Masche", False)),
        *((FRENCH, "machine", True), (FRENCH, "réseaux", True), (FRENCH, "école", True), (FRENCH, "charger", True)),
        *(("the machines of that", "machine", True), ("the machines of that", "who", False)),
    ],
)
def test_word_is_found_in_its_other_forms_in_the_language_of_the_text(body: str, query: str, there: bool) -> None:
    index().put([head(1, "x", body)])
    assert found(query) == ([(THREAD, 1, 1)] if there else [])


@pytest.mark.parametrize(
    ("text", "language"),
    [
        *((GERMAN, Language.GERMAN), (FRENCH, Language.FRENCH), ("The kernel is not there", Language.ENGLISH)),
        *(
            ("", Language.ENGLISH),
            ("12 %", Language.ENGLISH),
            ("der", Language.ENGLISH),
            ("die an on", Language.ENGLISH),
        ),
        ("It is the word der that is in the text und not more", Language.ENGLISH),
    ],
)
def test_language_is_told_by_small_words(text: str, language: Language) -> None:
    assert languages.of(text) is language


def test_small_words_are_of_one_language_each() -> None:
    words = [word for words in languages.SMALL.values() for word in words.split()]
    assert len(words) == len(set(words))


def test_tag_counts_as_a_title_and_as_a_filter() -> None:
    index().put([head(1, "one", tags=("uefi", "boot")), head(2, "two", tags=("uefi-shell",)), head(3, "uefi")])
    assert found("boot") == [(THREAD, 1, 0)]
    assert found("one tag:uefi") == [(THREAD, 1, 0)]
    assert found("two tag:uefi") == []
    assert found("tag:uefi") == [(THREAD, 1, 1)]
    assert found("tag:100%") == []


def test_author_and_kind_are_filters(ada: Member, bob: Member) -> None:
    index().put([head(1, "disk", author=ada.pk), head(2, "disk", author=bob.pk), reply(3, "disk", author=ada.pk)])
    assert found("disk by:ada") == [(THREAD, 1, 0), (POST, 3, 2)]
    assert found("disk by:@ada kind:post") == [(POST, 3, 2)]
    assert found("by:bob") == [(THREAD, 2, 1)]
    assert found("disk by:nobody") == []
    assert found("disk kind:nonsense") == []


def test_dates_are_filters_from_the_beginning_of_what_they_name() -> None:
    index().put([head(1, "disk"), reply(24 * 31, "disk"), reply(24 * 32, "disk")])  # 1 January, 1 and 2 February
    assert found("disk after:2026") == [(THREAD, 1, 0), (POST, 768, 2), (POST, 744, 2)]
    assert found("disk after:2026-02") == [(POST, 768, 2), (POST, 744, 2)]
    assert found("disk AFTER:2026-02-01 before:2026-02-02") == [(POST, 744, 2)]
    assert found("disk before:2026-02") == [(THREAD, 1, 0)]
    assert found("disk before:2026") == found("disk after:2026-03") == []


@pytest.mark.parametrize("word", ["2026-13", "2026-02-30", "0000", "yesterday", "20261", "\u0662\u0660\u0662\u0666"])
def test_date_that_is_none_is_a_word(word: str) -> None:
    assert parse(f"disk after:{word}") == Query(terms=("disk", clean(word)))


def test_closed_area_is_not_found() -> None:
    index().put([head(1, "secret plan", area=7), head(2, "open plan"), reply(3, "plan", area=7)])
    assert found("plan", hidden=(7,)) == [(THREAD, 2, 0)]
    assert found("plan", hidden=(7, 8)) == [(THREAD, 2, 0)]
    assert len(found("plan")) == 3


def test_entry_that_is_put_again_is_found_as_it_is_now() -> None:
    index().put([head(1, "old words", "body"), reply(2, "old reply")])
    index().put([head(1, "new words", "firmware"), reply(2, "new reply")])
    assert found("old") == []
    assert found("body") == []
    assert found("new") == [(THREAD, 1, 0), (POST, 2, 2)]
    assert found("firmware") == [(THREAD, 1, 1)]


def test_removed_entry_is_gone_and_the_others_stay() -> None:
    index().put([head(1, "disk"), head(2, "disk"), reply(1, "disk")])
    index().remove([(THREAD, 1), (POST, 99)])
    assert found("disk") == [(THREAD, 2, 0), (POST, 1, 2)]


def test_excerpt_is_the_text_around_the_word() -> None:
    body = "filler " * 100 + "the needle is here " + "filler " * 100
    index().put([head(1, "title", body)])
    (hit,) = index().find(parse("needle"), limit=5)
    assert isinstance(hit, Hit)
    assert "the needle is here" in hit.excerpt
    assert hit.excerpt.startswith("… ")
    assert hit.excerpt.endswith(" …")
    assert len(hit.excerpt) < 240


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", '"', '""', "-", "AND OR NOT", "NEAR(a b)", "a*", "title:x", "(((", "a:b:c", "'", "''; --", "\\"),
        *(
            "& | !",
            "<->",
            "%_%",
            "\x00",
            "ü" * 400,
            "tag:",
            "by:",
            "after:",
            "after:9999-12-31 x",
            "x before:0001",
            '"unended phrase',
            "-excluded",
            "a' b",
            ":* :A",
        ),
        *("{title} : x", "^a", "tag:%", "by:\x00"),
    ],
)
def test_any_query_is_legal(text: str) -> None:
    index().put([head(1, "a b c", "title x")])
    index().find(parse(text), limit=5)


class AnyQuery(TestCase):
    """Text that an index could take for its own syntax."""

    @given(st.text(max_size=60))
    @settings(max_examples=150, deadline=None)
    def test_hostile_query_is_legal(self, text: str) -> None:
        index().find(parse(text), limit=5)


def test_query_is_taken_apart() -> None:
    assert parse('disk "boot  order" -windows -"old one" tag:UEFI by:@Ada KIND:thread') == Query(
        terms=("disk", "boot order"),
        excluded=("windows", "old one"),
        tags=("uefi",),
        authors=("ada",),
        kinds=("thread",),
    )


@given(st.text(max_size=80))
def test_cleaned_term_has_no_syntax(text: str) -> None:
    assert not set(clean(text)) & set('"*():^{}&|!<>\\')
