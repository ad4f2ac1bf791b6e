"""Texts of members: what they may look like, what is found in them, and what never gets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostile_texts import ATTACKS, assert_harmless
from jeos.server.content import markdown


@pytest.mark.parametrize("attack", ATTACKS)
def test_text_that_brings_a_script_is_harmless(attack: str) -> None:
    assert_harmless(markdown.render(attack, handles={"ada"}).html)
    assert_harmless(markdown.render(f"> * {attack}", handles={"ada"}).html)


@given(st.text(alphabet=st.sampled_from(list("<>\"'`[]()!#*_-|:@/\\&;=\n\t azscript")), max_size=120))
def test_any_text_is_harmless_and_ends(text: str) -> None:
    assert_harmless(markdown.render(text, handles={"a", "s"}).html)


def test_markdown_looks_as_one_expects() -> None:
    made = markdown.render("# Title\n\n**bold** `code` ~~gone~~\n\n| a | b |\n| :-: | --: |\n| 1 | 2 |").html
    assert made == (
        "<h2>Title</h2>\n<p><strong>bold</strong> <code>code</code> <s>gone</s></p>\n<table>\n<thead>\n<tr>\n"
        '<th class="centre">a</th>\n<th class="right">b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n'
        '<td class="centre">1</td>\n<td class="right">2</td>\n</tr>\n</tbody>\n</table>\n'
    )


def test_link_is_not_followed_by_search_engines() -> None:
    made = markdown.render("see https://example.org/x and [that](mailto:a@b.example)")
    assert made.html == (
        '<p>see <a href="https://example.org/x" rel="nofollow ugc noopener">https://example.org/x</a> and '
        '<a href="mailto:a@b.example" rel="nofollow ugc noopener">that</a></p>\n'
    )
    assert made.links == 2


def test_foreign_image_is_not_loaded() -> None:
    assert "<img" not in markdown.render("![seen](https://tracker.example/pixel.png)").html


def test_mention_of_a_member_is_a_link_and_of_nobody_is_not() -> None:
    made = markdown.render("@Ada, @nobody, mail@ada.example, `@ada`, @ada-", handles={"ada"})
    assert made.html == (
        '<p><a href="/m/ada/" class="mention" rel="nofollow ugc noopener">@Ada</a>, @nobody, mail@ada.example, '
        "<code>@ada</code>, @ada-</p>\n"
    )
    assert made.mentions == ("ada",)
    assert made.links == 0


def test_plain_text_leaves_out_what_others_said() -> None:
    made = markdown.render("> @bob [#3](/p/3):\n>\n> old words\n\nnew *words*\nhere\n\n```\ncode\n```")
    assert made.plain == "new words here\ncode"


def test_opening_has_words_and_no_markup() -> None:
    assert markdown.opening("A **bold** [link](https://x.example/) `code`\n\n> quoted\n\n- one\n- two") == (
        "A bold link code one two"
    )
    assert markdown.opening("> only a quotation") == "> only a quotation"
    assert markdown.opening("word " * 400).endswith("word …")


def test_quotation_reads_back_as_one() -> None:
    quoted = markdown.quote("one\n\ntwo", handle="ada", number=7, url="/forum/p/9/")
    assert quoted == "> @ada [#7](/forum/p/9/):\n>\n> one\n>\n> two\n\n"
    assert markdown.render(quoted, handles={"ada"}).html.startswith("<blockquote>")


def test_deep_nesting_costs_no_more_than_a_bound() -> None:
    assert_harmless(markdown.render(">" * 5_000 + " x").html)
    assert_harmless(markdown.render("[" * 5_000).html)
    assert_harmless(markdown.render("*a " * 5_000).html)


@pytest.mark.parametrize(
    ("text", "length", "short"),
    [
        ("a b c", 10, "a b c"),
        ("aaa bbb ccc", 8, "aaa bbb …"),
        ("aaaaaaaaaa", 4, "aaaa …"),
        ("a\n\n b", 10, "a b"),
        (f"a ![my rack](attachment:{'k' * 24}) b", 20, "a my rack b"),
    ],
)
def test_summary_is_cut_between_words(text: str, length: int, short: str) -> None:
    assert markdown.summary(text, length=length) == short


def test_link_to_a_page_leads_to_its_name_whether_or_not_there_is_one() -> None:
    made = markdown.render("See [[Boot  Order]] and [[boot-order|this *one*]], not `[[x]]`, [[]] or [[…]].")
    assert made.html == (
        '<p>See <a href="/wiki/boot-order/" class="wiki" rel="nofollow ugc noopener">Boot Order</a> and '
        '<a href="/wiki/boot-order/" class="wiki" rel="nofollow ugc noopener">this *one*</a>, not <code>[[x]]</code>, '
        "[[]] or [[…]].</p>\n"
    )
    assert made.pages == (("boot-order", "Boot Order"),)
    assert made.links == 0
    assert made.plain == "See Boot Order and this *one*, not [[x]], [[]] or [[…]]."


@pytest.mark.parametrize(
    ("title", "name"),
    [("Boot Order", "boot-order"), ("Größe & C++", "größe-c++"), ("../../x", "x"), ("?a=b#c", "a-b-c"), ("…", "")],
)
def test_name_of_a_page_is_one_word_of_an_address(title: str, name: str) -> None:
    assert markdown.page_name(title) == name


@given(st.text(max_size=60))
def test_name_of_a_page_names_the_same_page_again(title: str) -> None:
    name = markdown.page_name(title)
    assert markdown.page_name(name) == name


_PIECES = ["http://a.example", "//b.example/c", "mailto:x@y.example", "www.c.example", "x@y.example", "word", "**"]
_ESCAPED = ["http&colon;//a.example", "/\\/b.example", "&sol;&sol;b.example", "http\\://a.example", "&#47;/b.example"]


@given(st.lists(st.sampled_from([*_PIECES, *_ESCAPED, " ", "\n", "/", ":", "&", "`"]), max_size=8).map("".join))
def test_a_text_in_which_no_address_is_looked_for_has_none(source: str) -> None:
    assert markdown.render(source).html == _looking_everywhere(source)


def _looking_everywhere(source: str) -> str:
    """Return what a text is rendered to if addresses are looked for whatever is in it."""
    other = markdown._without_addresses
    markdown._without_addresses = markdown._markdown
    try:
        return markdown.render(source).html
    finally:
        markdown._without_addresses = other
