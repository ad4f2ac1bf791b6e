"""What somebody wrote in a mail: found among quotations, signatures and marks of many programs, and never more lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.server.content.mailing.cutting import answer_of, text_of

MARKED = "#~ Write your answer above this line ~#"


@pytest.mark.parametrize(
    "text",
    [
        "Works.\n",
        "Works.\n\nOn Mon, 2 Mar 2026 at 10:00, Exchange <reply+x@y.example> wrote:\n> one\n> two\n",
        "Works.\n\nOn Mon, 2 Mar 2026 at 10:00, Exchange\n<reply+abcdefgh@y.example> wrote:\n\n> one\n>\n> two\n\n",
        "Works.\r\n\r\nAm 02.03.26 um 10:00 schrieb Exchange:\r\n> eins\r\n",
        "Works.\n\nLe 2 mars 2026 à 10:00, Exchange a écrit :\n> un\n",
        "Works.\n-- \nAda\nAppliances and sons\n",
        "Works.\n--\nAda",
        f"Works.\n\n> {MARKED}\n> one\nbelow\n",
        f"Works.\n\n{MARKED}\n\none\n",
        "Works.\n\n-----Original Message-----\nFrom: Exchange\nSubject: x\n\none",
        "Works.\n\n-------- Ursprüngliche Nachricht --------\nVon: Exchange\n\neins",
        "Works.\n\n________________________________\nFrom: Exchange\nSent: Monday\n\none",
        "Works.\n\n> one\n> two\n",
        "Works.\n\n> > deep\n> one\n\n\n",
    ],
)
def test_quoted_mail_and_signature_are_cut(text: str) -> None:
    assert answer_of(text) == "Works."


@pytest.mark.parametrize(
    "text",
    [
        "> How large is it?\n\n40 MB.\n\n> And now?\n\n30.",
        "As she wrote:\n\nit works.",
        "On Monday it worked.\n\nThen it did not.",
        "a --\nb -- c\n---\nd",
        "From: here to there",
        "____\nFrom: below a short rule",
        "#~ a heading of mine",
        "1. one\n2. two\n\n    code\n",
    ],
)
def test_what_is_not_surely_another_mail_stays(text: str) -> None:
    assert answer_of(text) == text.strip()


@pytest.mark.parametrize(
    "text", ["", "\n\n", "> only\n> quoted", "-- \nAda", f"{MARKED}\nx", "On Mon, Exchange wrote:\n> x"]
)
def test_mail_without_an_answer_has_none(text: str) -> None:
    assert answer_of(text) == ""


PLAIN = st.text(alphabet=st.sampled_from("abc xyz.,!?äß\n"), min_size=1, max_size=300).filter(lambda text: text.strip())


@given(PLAIN, st.sampled_from(["\n\nOn Mon, Exchange wrote:\n> a\n> b\n", "\n-- \nAda\n", f"\n\n{MARKED}\nx\n", "\n"]))
def test_whole_answer_is_kept_whatever_follows(text: str, rest: str) -> None:
    assert answer_of(text + rest) == "\n".join(line.rstrip() for line in text.split("\n")).strip()


@given(st.text(max_size=500))
def test_any_text_gives_lines_of_it_and_is_cut_once(text: str) -> None:
    answer = answer_of(text)
    lines = [line.rstrip().strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    assert all(line.strip() in lines for line in answer.split("\n")) or not answer
    assert len(answer) <= len(text)


@given(st.text(alphabet=st.sampled_from(list("<>/=\"' abpdivstyle!-&;#blockquote\n")), max_size=200))
def test_any_html_has_words(html: str) -> None:
    assert "\0" not in text_of(html)


def test_html_is_read_without_quotations_and_what_is_not_shown() -> None:
    html = (
        "<html><head><title>t</title><style>p{}</style></head><body><p>It <b>works</b>.</p><div>Thanks<br>Ada</div>"
        "<script>alert(1)</script><blockquote>old <p>words</p></blockquote></body></html>"
    )
    assert text_of(html) == "It works.\n\nThanks\nAda"
