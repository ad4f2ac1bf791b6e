"""Dumps and BBCode, right and hostile: every row as it was, every text with a result, nothing for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forum_dumps import copied, inserted
from jeos.core.errors import InputError
from jeos.server.content import markdown
from jeos.server.importing import bbcode
from jeos.server.importing.sql import Row, rows

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
CELLS = st.none() | TEXTS


def lines(text: str) -> list[str]:
    """Return the lines of a dump as a file gives them: apart at line feeds only."""
    return [line + "\n" for line in text.split("\n")]


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_rows_of_pg_dump_come_back_as_they_were(values: list[tuple[str | None, str | None]]) -> None:
    dump = copied("other", ("x",), [("1",)]) + copied("posts", ("id", "raw"), values)
    found = list(rows(lines(dump), wanted={"posts"}))
    assert found == [Row("posts", {"id": one, "raw": two}) for one, two in values]


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_rows_of_mysqldump_come_back_as_they_were(values: list[tuple[str | None, str | None]]) -> None:
    dump = inserted("other", ("x",), [("1",)]) + inserted("posts", ("id", "raw"), values)
    found = list(rows(lines(dump), wanted={"posts"}))
    assert found == [Row("posts", {"id": one, "raw": two}) for one, two in values]


def test_insert_with_columns_numbers_and_doubled_quotes() -> None:
    dump = "INSERT INTO `posts` (`id`, `raw`) VALUES (1, 'it''s'), (-2.5e3 , NULL),(3,_binary 'x');\n"
    assert [dict(row.values) for row in rows([dump], wanted={"posts"})] == [
        {"id": "1", "raw": "it's"},
        {"id": "-2.5e3", "raw": None},
        {"id": "3", "raw": "x"},
    ]


@given(st.text(max_size=200))
def test_any_text_is_a_dump_or_refused(text: str) -> None:
    for dump in (text, f"COPY posts (id) FROM stdin;\n{text}", f"INSERT INTO `posts` (`id`) VALUES {text}"):
        try:
            list(rows(lines(dump), wanted={"posts"}))
        except InputError:
            continue


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[b]bold[/b] [i]it[/i] [s]gone[/s] [u]under[/u]", "**bold** *it* ~~gone~~ under"),
        ("[url=https://a.example/x?y=1]here[/url]", "[here](https://a.example/x?y=1)"),
        ("[url]https://a.example/_x_[/url]", "<https://a.example/_x_>"),
        ("[url=javascript:alert(1)]here[/url]", "here"),
        ("[img]https://a.example/p.png[/img]", "<https://a.example/p.png>"),
        ("[code]a * b\n[b]no[/b] ```[/code]", "````\na * b\n[b]no[/b] ```\n````"),
        ('[quote="ada"]Why?\nSo.[/quote]Yes', "> **ada**\n>\n> Why?\n> So.\n\nYes"),
        ("[quote]a[quote]b[/quote][/quote]", "> a\n>\n> > b"),
        ("[list][*]one[*]two[/list]", "- one\n- two"),
        ("[list=1][*]one[/*][*]two[/*][/list]", "- one\n- two"),
        ("[b:1x2y]old[/b:1x2y] [size=150]big[/size]", "**old** big"),
        ("2 * 3 * 4 and snake_case_name [x]", "2 \\* 3 \\* 4 and snake\\_case\\_name \\[x\\]"),
        ("# no heading\n1. no list\n- no list\n> no quote", "\\# no heading\n1\\. no list\n\\- no list\n\\> no quote"),
        ("[b]no end", "\\[b\\]no end"),
        ("no beginning[/b]", "no beginning\\[/b\\]"),
        ("[b][i]crossed[/b][/i]", "**\\[i\\]crossed**\\[/i\\]"),
        ("see https://a.example/a_b_c[1] now", "see https://a.example/a_b_c\\[1\\] now"),
    ],
)
def test_bbcode_is_markdown_that_says_the_same(text: str, expected: str) -> None:
    assert bbcode.to_markdown(text) == expected


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ("<t>plain &lt;b&gt; &amp; more</t>", "plain <b> & more"),
        ("<r><B><s>[b]</s>x<e>[/b]</e></B></r>", "[b]x[/b]"),
        ('old &quot;text&quot; <!-- s:) --><img src="x" alt=":)"><!-- s:) -->', 'old "text" :)'),
        ("<t>one<br/>\ntwo</t>", "one\n\ntwo"),
    ],
)
def test_what_phpbb_keeps_is_unwrapped(kept: str, expected: str) -> None:
    assert bbcode.unwrap(kept) == expected


MARKS = st.sampled_from(
    [
        *(
            "[b]",
            "[/b]",
            "[i]",
            "[/i]",
            "[quote]",
            "[/quote]",
            '[quote="x"]',
            "[url]",
            "[/url]",
            "[*]",
            "[img]",
            "[/img]",
        ),
        *(
            "[url=https://a.example/]",
            "[list]",
            "[/list]",
            "[code]",
            "[/code]",
            "text",
            "\n",
            "*",
            "_",
            "<b>",
            "&lt;",
            "[",
        ),
    ]
)


@given(st.lists(MARKS | st.text(max_size=10), max_size=40).map("".join))
def test_any_bbcode_has_a_result_that_renders_without_markup_of_its_own(text: str) -> None:
    made = bbcode.to_markdown(bbcode.unwrap(text))
    assert len(made) <= 60 * len(text) + 200
    html = markdown.render(made).html
    assert "<script" not in html and "javascript:" not in html.lower()


@given(st.text(st.sampled_from("ab *_`<>#-.1)[]\\!&"), max_size=40))
def test_text_without_marks_says_after_rendering_what_it_said(text: str) -> None:
    shown = markdown.render(bbcode.to_markdown(text)).plain
    assert "".join(shown.split()) == "".join(text.split())


@pytest.mark.parametrize("piece", ["[quote]", "[b]", "[/b]", "[", "[url=", "<", "[*]", "[list]", "\\", "*"])
def test_marks_without_end_cost_little(piece: str) -> None:
    assert bbcode.to_markdown(bbcode.unwrap(piece * 20_000)) is not None
    assert bbcode.of_discourse('[quote="a"]' * 5_000 + piece * 5_000) is not None
