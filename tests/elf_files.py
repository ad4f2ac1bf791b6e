"""Small ELF files made by hand, for tests: sections only, as a kernel module has them."""

import struct
from collections.abc import Mapping


def with_sections(sections: Mapping[str, bytes]) -> bytes:
    """Return a relocatable ELF file with these sections."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (*sections, ".shstrtab"))
    contents = [*sections.values(), names]
    offset, body, headers = 64, b"", [bytes(64)]
    place = 1
    for name, content in zip((*sections, ".shstrtab"), contents, strict=True):
        kind = 3 if name == ".shstrtab" else 1
        headers.append(struct.pack("<IIQQQQIIQQ", place, kind, 0, 0, offset + len(body), len(content), 0, 0, 1, 0))
        place += len(name) + 1
        body += content
    body += bytes(-len(body) % 8)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    count = len(headers)
    head = struct.pack("<16sHHIQQQIHHHHHH", ident, 1, 62, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, count, count - 1)
    return head + body + b"".join(headers)


def module(**info: str | list[str]) -> bytes:
    """Return a kernel module that says these things about itself, such as depends="a,b"."""
    pairs = [
        (key, value) for key, values in info.items() for value in ([values] if isinstance(values, str) else values)
    ]
    return with_sections({".modinfo": b"".join(f"{key}={value}\0".encode() for key, value in pairs)})
