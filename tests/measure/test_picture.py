import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

from jeos.measure import picture
from jeos.measure.report import Report
from overhead_reports import emulated, on_kvm, result

SVG = "{http://www.w3.org/2000/svg}"


def drawn(report: Report) -> ElementTree.Element:
    return ElementTree.fromstring(picture.svg(report))


def bars(report: Report) -> list[tuple[str, float, float]]:
    """Return class, start and width of each bar."""
    found = drawn(report).iter(f"{SVG}rect")
    return [
        (one.attrib["class"], float(one.attrib["x"]), float(one.attrib["width"]))
        for one in found
        if one.attrib["class"] != "ground"
    ]


def test_picture_says_all_in_words_too() -> None:
    root = drawn(emulated())
    assert root.attrib["role"] == "img"
    names = {part.attrib["id"]: part.text for part in root if part.tag in (f"{SVG}title", f"{SVG}desc")}
    assert names == {
        "title": "What virtualization costs here",
        "description": "arithmetic: 3.00 x as long in the guest. system call: 8.00 x as long in the guest. "
        "context switch: 30 x as long in the guest. disk, read 4 KiB: 150 x as long in the guest. "
        "disk, stream: 0.50 x as long in the guest.",
    }
    texts = [part.text for part in root.iter(f"{SVG}text")]
    assert "AMD <EPYC>, emulated (TCG); QEMU 7.2.22" in texts
    assert "9.77 GiB/s → 19.5 GiB/s" in texts
    assert "network, send" not in texts


def test_bars_grow_from_one_by_the_logarithm() -> None:
    report = replace(emulated(), results=(result("fork", 1, 10), result("switch", 1, 100), result("timer", 1, 0.5)))
    (ten, hundred, half) = bars(report)
    assert (ten[0], hundred[0], half[0]) == ("bar", "bar", "less")
    assert abs(hundred[2] - 2 * ten[2]) < 0.2
    assert ten[1] == hundred[1]
    assert abs(half[1] + half[2] - ten[1]) < 0.2


def test_nothing_is_outside_of_the_picture() -> None:
    for report in (emulated(), on_kvm("nested", exits=0), replace(emulated(), results=())):
        root = drawn(report)
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        for part in root.iter():
            if "x" in part.attrib:
                assert 0 <= float(part.attrib["x"]) <= width
                assert 0 <= float(part.attrib["y"]) <= height


def test_picture_needs_nothing_from_outside() -> None:
    assert re.findall(r"(?:href|src|url|@import)\b", picture.svg(emulated())) == []
