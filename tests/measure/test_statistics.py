import statistics

from hypothesis import given
from hypothesis import strategies as st

from jeos.measure.statistics import Summary, quantile, summarize


def test_summary_is_the_lower_quartile_with_its_neighbours() -> None:
    found = summarize([9.0, 1.0, 5.0, 3.0, 7.0])
    assert found == Summary(nanoseconds=3.0, least=1.0, median=5.0, spread=4 / 3, repetitions=5)


def test_summary_of_one_repetition_has_no_spread() -> None:
    assert summarize([4.0]) == Summary(nanoseconds=4.0, least=4.0, median=4.0, spread=0.0, repetitions=1)


def test_summary_of_nothing_but_zeros() -> None:
    assert summarize([0.0, 0.0]).spread == 0.0


@given(st.lists(st.floats(0, 1e12), min_size=2))
def test_quantiles_are_those_of_the_standard_library(values: list[float]) -> None:
    expected = statistics.quantiles(values, n=4, method="inclusive")
    found = [quantile(sorted(values), part) for part in (0.25, 0.5, 0.75)]
    assert all(abs(one - other) <= 1e-6 * max(1.0, other) for one, other in zip(found, expected, strict=True))
