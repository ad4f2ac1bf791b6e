import pytest

from jeos.measure import words


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 ns"),
        (0.0123, "0.0123 ns"),
        (1.176, "1.18 ns"),
        (999.4, "999 ns"),
        (999.6, "1.00 µs"),
        (13560, "13.6 µs"),
        (11.86e6, "11.9 ms"),
        (2.5e9, "2.50 s"),
        (5e12, "5,000 s"),
    ],
)
def test_time(nanoseconds: float, text: str) -> None:
    assert words.time(nanoseconds) == text


def test_rates() -> None:
    assert [words.rate(nanoseconds) for nanoseconds in (1e6, 45.12e6, 65660)] == [
        "1,000 MiB/s",
        "22.2 MiB/s",
        "14.9 GiB/s",
    ]


def test_ratios_and_counts() -> None:
    assert [words.times(ratio) for ratio in (0.98, 1.0, 9.994, 14.44, 2345)] == [
        "0.98 x",
        "1.00 x",
        "9.99 x",
        "14 x",
        "2,300 x",
    ]
    assert [words.count(value) for value in (0, 0.0004, 0.0123, 1.0, 497.3)] == ["0", "0", "0.0123", "1.00", "497"]
    assert words.part(0.426) == "43 %"
