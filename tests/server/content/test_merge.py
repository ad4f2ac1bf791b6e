"""Comparing and merging texts: what was, what is, and nothing lost between."""

from hypothesis import given
from hypothesis import strategies as st

from jeos.server.content import lines, texts
from jeos.server.content.lines import Pair, Run, compare, near
from jeos.server.content.merge import Merged, is_marked, merge
from jeos.server.content.shortest import Step, steps

WORDS = st.lists(st.sampled_from("abcd"), max_size=30)
TEXTS = st.lists(st.sampled_from(["", "a", "b c", "b d", "e\x0bf", "# g"]), max_size=12).map("\n".join)


@given(old=WORDS, new=WORDS, changes=st.integers(0, 40))
def test_steps_cover_both_lists_and_keep_only_what_is_the_same(old: list[str], new: list[str], changes: int) -> None:
    i = j = 0
    for step in steps(old, new, changes=changes):
        assert (step.old_begin, step.new_begin) == (i, j)
        kept = old[step.old_begin : step.old_end] == new[step.new_begin : step.new_end]
        assert kept or step.sign != "="
        i, j = step.old_end, step.new_end
    assert (i, j) == (len(old), len(new))


def longest_common(old: list[str], new: list[str]) -> int:
    """Return the length of the longest common subsequence, by the textbook's table."""
    row = [0] * (len(new) + 1)
    for one in old:
        last = row[:]
        for place, other in enumerate(new):
            row[place + 1] = last[place] + 1 if one == other else max(last[place + 1], row[place])
    return row[-1]


@given(old=WORDS, new=WORDS)
def test_steps_keep_as_much_as_can_be_kept(old: list[str], new: list[str]) -> None:
    kept = sum(step.old_end - step.old_begin for step in steps(old, new) if step.sign == "=")
    assert kept == longest_common(old, new)


def test_steps_give_up_what_needs_too_many_changes() -> None:
    old, new = ["=", *"abcdef", "="], ["=", *"uvwxyz", "="]
    assert steps(old, new, changes=5) == [Step("=", 0, 1, 0, 1), Step("~", 1, 7, 1, 7), Step("=", 7, 8, 7, 8)]


@given(old=TEXTS, new=TEXTS)
def test_comparison_holds_both_texts_whole(old: str, new: str) -> None:
    pairs = compare(old, new)
    said = [["".join(run.text for run in pair.old) for pair in pairs if pair.old_number]]
    said += [["".join(run.text for run in pair.new) for pair in pairs if pair.new_number]]
    assert said == [lines.lines(old), lines.lines(new)]
    assert [pair.old_number for pair in pairs if pair.old_number] == list(range(1, len(lines.lines(old)) + 1))


def test_comparison_marks_the_words_that_changed() -> None:
    assert compare("same\nslot A boots", "same\nslot B boots\nmore") == [
        Pair("=", 1, 1, (Run("=", "same"),), (Run("=", "same"),)),
        Pair(
            "~",
            2,
            2,
            (Run("=", "slot "), Run("-", "A "), Run("=", "boots")),
            (Run("=", "slot "), Run("+", "B "), Run("=", "boots")),
        ),
        Pair("+", 0, 3, (), (Run("+", "more"),)),
    ]


def test_comparison_leaves_out_what_is_far_from_changes() -> None:
    old = "\n".join(str(number) for number in range(20))
    shown = near(compare(old, old.replace("10", "ten")), context=1)
    assert [(pair.sign, pair.old_number) for pair in shown] == [("…", 1), ("=", 10), ("~", 11), ("=", 12), ("…", 13)]
    assert near(compare(old, old)) == []


@given(old=TEXTS, new=TEXTS)
def test_difference_by_words_holds_both_texts_whole(old: str, new: str) -> None:
    changes = texts.difference(old, new)
    assert "".join(change.text for change in changes if change.sign != "+") == old
    assert "".join(change.text for change in changes if change.sign != "-") == new


def test_changes_in_different_lines_are_merged() -> None:
    assert merge("a\nb\nc\nd", "a\nB\nc\nd", "a\nb\nc\nD\ne") == Merged("a\nB\nc\nD\ne", 0)


def test_changes_of_the_same_line_are_shown_both() -> None:
    made = merge("a\nb\nc", "a\nX\nc", "a\nY\nc", mine_name="yours", theirs_name="now")
    assert made == Merged("a\n<<<<<<<< yours\nY\n========\nX\n>>>>>>>> now\nc", 1)
    assert is_marked(made.text)
    assert not is_marked("a\n========\nb\n<<<<<<< seven\n<<<<<<<<<")


@given(base=TEXTS, other=TEXTS)
def test_change_of_one_side_alone_is_taken_as_it_is(base: str, other: str) -> None:
    assert merge(base, other, base) == Merged(other, 0)
    assert merge(base, base, other) == Merged(other, 0)
    assert merge(base, other, other) == Merged(other, 0)


@given(base=TEXTS, theirs=TEXTS, mine=TEXTS)
def test_no_line_that_a_side_wrote_is_lost(base: str, theirs: str, mine: str) -> None:
    made = merge(base, theirs, mine).text.split("\n")
    for side in (theirs, mine):
        assert set(lines.lines(side)) - set(lines.lines(base)) <= set(made)
