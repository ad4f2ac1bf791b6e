"""Strangers' XML as a tree, within bounds: no document type or entities, nothing from outside, limited size and depth.

    root = parse(text, source="web.ovf")
    root.find("References").all("File")[0].attributes["href"]

Names are without their prefixes: tools agree on the local names of OVF, while they disagree on its namespaces, leave
them undeclared, or end them with a slash that the specification does not have.
"""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from jeos.core.errors import InputError

LARGEST = 8 << 20  # bytes; the licences of large products take some hundred KiB
DEEPEST = 64  # elements within one another; VirtualBox's own section has twelve
MOST_ELEMENTS = 100_000
MOST_ATTRIBUTES = 200  # of one element
HINT = "export the machine again, or convert its disk files by themselves"


@dataclass(slots=True)
class Element:
    """One element; attributes are by their local names, `namespace` is what it declares for its own prefix."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Element"] = field(default_factory=list)
    text: str = ""
    namespace: str = ""

    def find(self, name: str) -> "Element":
        """Return the first child of a name, or an empty element that stands for none."""
        return next(self.all(name), Element(""))

    def all(self, name: str) -> Iterator["Element"]:
        """Yield the children of a name."""
        return (child for child in self.children if child.name == name)

    def walk(self) -> Iterator["Element"]:
        """Yield this element and all in it, in the order of the document."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.children))


class _Builder:
    """Makes the tree of what expat tells."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.top = Element("")
        self.open = [self.top]
        self.texts: list[list[str]] = [[]]
        self.count = 0

    def start(self, name: str, attributes: list[str]) -> None:
        """Begin an element; attributes are names and values in turn."""
        self.count += 1
        if len(self.open) > DEEPEST or self.count > MOST_ELEMENTS or len(attributes) > 2 * MOST_ATTRIBUTES:
            raise InputError(
                f"{self.source} has more than {DEEPEST} elements in one another, {MOST_ELEMENTS} elements "
                f"or {MOST_ATTRIBUTES} attributes of one",
                hint=HINT,
            )
        pairs = dict(zip(attributes[::2], attributes[1::2], strict=True))
        element = Element(sys.intern(_local(name, pairs)))
        for key, value in pairs.items():
            prefix, _, local = key.rpartition(":")
            if prefix != "xmlns" and key != "xmlns":
                element.attributes[sys.intern(local)] = value
        prefix = name.rpartition(":")[0]
        element.namespace = pairs.get(f"xmlns:{prefix}" if prefix else "xmlns", "")
        self.open[-1].children.append(element)
        self.open.append(element)
        self.texts.append([])

    def end(self, name: str) -> None:
        """End an element."""
        self.open.pop().text = "".join(self.texts.pop()).strip()

    def characters(self, text: str) -> None:
        """Take text."""
        self.texts[-1].append(text)

    def refuse(self, *details: object) -> None:
        """Refuse what could refer to other places or grow."""
        raise InputError(f"{self.source} has a document type or entities, which OVF has no use for", hint=HINT)


def _local(name: str, attributes: dict[str, str]) -> str:
    """Return an element's name without prefix; OVF 0.9 and oVirt write <Section xsi:type="ovf:DiskSection_Type">."""
    local = name.rpartition(":")[2]
    if local in ("Section", "Content"):
        for key, value in attributes.items():
            if key.rpartition(":")[2] == "type":
                return value.rpartition(":")[2].removesuffix("_Type")
    return local


def parse(text: bytes, *, source: str) -> Element:
    """Return the root element. Raises InputError, naming `source`, for what is no XML or is beyond the bounds."""
    if len(text) > LARGEST:
        raise InputError(f"{source} is longer than {LARGEST >> 20} MiB", hint="descriptors are a few KiB; is this one?")
    builder = _Builder(source)
    parser = expat.ParserCreate()
    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    parser.SkippedEntityHandler = builder.refuse
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    with contextlib.suppress(AttributeError):  # expat 2.6 and later; the whole text is here, nothing need wait
        parser.SetReparseDeferralEnabled(False)  # type: ignore[attr-defined,unused-ignore]
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the latter two for encodings that Python lacks
        raise InputError(f"{source} is not XML: {error}", hint=HINT) from None
    return builder.top.children[0]
