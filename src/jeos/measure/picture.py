"""The results as a picture: for each quantity, how many times as long it takes in the guest, on a logarithmic scale.

    svg(report)     # the text of an SVG 1.1 file, which needs nothing from outside

The picture has its own ground, light or dark as the viewer wishes; values stand as text beside each bar, so nothing
depends on colour; title and description are there for who cannot see it.
"""

import math
from collections.abc import Iterator
from xml.sax.saxutils import escape

from jeos.measure import words
from jeos.measure.report import Measured, Report, Result

WIDTH, ROW, HEAD, FOOT = 920, 30, 96, 64  # pixels
LEFT, RIGHT = 210, 290  # for titles, and for values
LARGEST_STEP = 6  # decades at most: a bar that would be longer ends at the edge
NICE = (2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000)  # where a scale may end

STYLE = """
.ground { fill: #ffffff } .text { fill: #1a1a1a } .soft { fill: #595959 } .line { stroke: #c8c8c8 }
.bar { fill: #0b5cad } .less { fill: #1b7f3b } .one { stroke: #595959 }
text { font: 14px system-ui, sans-serif } .title { font-size: 19px; font-weight: 600 } .small { font-size: 12.5px }
.end { text-anchor: end } .mid { text-anchor: middle } .strong { font-weight: 600 }
@media (prefers-color-scheme: dark) {
.ground { fill: #15181c } .text { fill: #f0f0f0 } .soft { fill: #b4b4b4 } .line { stroke: #444a52 }
.bar { fill: #6cb2f5 } .less { fill: #6fce8f } .one { stroke: #b4b4b4 }
}"""


def svg(report: Report) -> str:
    """Return the picture of a report."""
    shown = [result for result in report.results if result.times is not None]
    height = HEAD + ROW * len(shown) + FOOT
    heading = "What virtualization costs here"
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            'role="img" aria-labelledby="title description">\n',
            f'<title id="title">{heading}</title>\n<desc id="description">{escape(description(shown))}</desc>\n',
            f'<style>{STYLE}</style>\n<rect class="ground" width="{WIDTH}" height="{height}"/>\n',
            f'<text class="text title" x="24" y="34">{heading}</text>\n',
            f'<text class="soft" x="24" y="58">{escape(subtitle(report))}</text>\n',
            *_scale(shown),
            *(line for number, result in enumerate(shown) for line in _row(result, number, shown)),
            *_foot(report, height),
            "</svg>\n",
        )
    )


def subtitle(report: Report) -> str:
    """Return what the results hold for, in one line."""
    how = "emulated (TCG)" if report.accelerator == "tcg" else f"KVM, {report.paging or 'unknown'} paging"
    return f"{report.host.get('processor', '')}, {how}; QEMU {report.qemu.partition(' ')[0]}"


def description(shown: list[Result]) -> str:
    """Return the picture in words."""
    return " ".join(f"{one.quantity.title}: {words.times(one.times or 0)} as long in the guest." for one in shown)


def value(result: Result, side: Measured | None) -> str:
    """Return the value of one side: a time, or a rate for streams."""
    if side is None:
        return "-"
    nanoseconds = side.summary.nanoseconds
    return words.rate(nanoseconds) if result.quantity.stream else words.time(nanoseconds)


def ends(shown: list[Result]) -> tuple[float, float]:
    """Return the ratios at both ends of the scale; 1 is between them."""
    ratios = [result.times or 1.0 for result in shown] or [1.0]
    return 1 / _nice(1 / min(ratios)), _nice(max(ratios))


def place(ratio: float, shown: list[Result]) -> float:
    """Return where a ratio is from left to right, in pixels."""
    low, high = ends(shown)
    part = (math.log(ratio) - math.log(low)) / (math.log(high) - math.log(low))
    return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, part))


def _nice(ratio: float) -> float:
    if ratio <= 1.0:
        return 1.0 if ratio < 1 else float(NICE[0])
    return next(
        (float(step) for step in NICE if step >= ratio), 10.0 ** min(LARGEST_STEP, math.ceil(math.log10(ratio)))
    )


def _marks(shown: list[Result]) -> list[float]:
    low, high = ends(shown)
    decades = [10.0**power for power in range(-LARGEST_STEP, LARGEST_STEP + 1) if low <= 10.0**power <= high]
    return sorted({low, *decades, high} if high / low < 20 else set(decades) | {1.0})


def _scale(shown: list[Result]) -> Iterator[str]:
    bottom = HEAD + ROW * len(shown)
    for ratio in _marks(shown):
        x = place(ratio, shown)
        kind = "one" if ratio == 1 else "line"
        yield f'<line class="{kind}" x1="{x:.1f}" y1="{HEAD - 6}" x2="{x:.1f}" y2="{bottom}"/>\n'
        yield f'<text class="soft small mid" x="{x:.1f}" y="{HEAD - 12}">{words.number(ratio, digits=1)} x</text>\n'


def _row(result: Result, number: int, shown: list[Result]) -> Iterator[str]:
    ratio = result.times or 1.0
    top = HEAD + ROW * number
    start, end = sorted((place(1.0, shown), place(ratio, shown)))
    kind = "bar" if ratio >= 1 else "less"
    text = top + 20
    yield f'<text class="text end" x="{LEFT - 12}" y="{text}">{escape(result.quantity.title)}</text>\n'
    width = max(end - start, 1.5)
    yield f'<rect class="{kind}" x="{start:.1f}" y="{top + 7}" width="{width:.1f}" height="17" rx="2"/>\n'
    edge = WIDTH - RIGHT + 14
    yield f'<text class="text strong end" x="{edge + 66}" y="{text}">{words.times(ratio)}</text>\n'
    change = f"{value(result, result.host)} → {value(result, result.guest)}"
    yield f'<text class="soft" x="{edge + 84}" y="{text}">{escape(change)}</text>\n'


def _foot(report: Report, height: int) -> Iterator[str]:
    lines = (
        "Bars: how many times as long an operation takes in the guest (logarithmic). Values: host → guest.",
        f"Host Linux {report.host.get('kernel', '?')}, guest Linux {report.guest.get('kernel', '?')}; the same program "
        "ran on both sides. jeos overhead",
    )
    for number, line in enumerate(lines):
        yield f'<text class="soft small" x="24" y="{height - 34 + 18 * number}">{escape(line)}</text>\n'
