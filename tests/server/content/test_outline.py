"""Anchors at headings, and the list of them."""

from hypothesis import given
from hypothesis import strategies as st

from jeos.server.content import markdown
from jeos.server.content.outline import Heading, outline


def test_headings_get_anchors_of_their_own() -> None:
    made = outline(markdown.render("# A `b` & <c>\n\n## Größe\n\n# a b c\n").html)
    assert made.html == (
        '<h2 id="s-a-b-c">A <code>b</code> &amp; &lt;c&gt;</h2>\n<h3 id="s-größe">Größe</h3>\n'
        '<h2 id="s-a-b-c-2">a b c</h2>\n'
    )
    assert made.headings == (
        Heading(2, "s-a-b-c", "A b & <c>"),
        Heading(3, "s-größe", "Größe"),
        Heading(2, "s-a-b-c-2", "a b c"),
    )


@given(st.lists(st.text(max_size=20), max_size=6))
def test_anchors_are_plain_words_and_no_two_are_the_same(titles: list[str]) -> None:
    source = "\n\n".join(f"# {' '.join(title.split())} x" for title in titles)
    made = outline(markdown.render(source).html)
    anchors = [heading.anchor for heading in made.headings]
    assert len(set(anchors)) == len(anchors)
    assert all(anchor.replace("-", "").isalnum() for anchor in anchors)
