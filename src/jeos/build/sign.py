"""Sign EFI programs for Secure Boot with the vendor's own key, the same way each time.

`sbsign` makes the signature. It writes the time of day into it, which would make each build another; here that time
becomes the build's date, and the few bytes that the key signs (the signed attributes) are signed again with `openssl`.
`docs/explanation/boot.md` says what Secure Boot does and does not protect.
"""

import array
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jeos.core.errors import InputError
from jeos.core.files import temporary_folder
from jeos.core.run import run
from jeos.model.recipe import SecureBoot

# ASN.1 tags (ITU-T X.690), and the object identifier 1.2.840.113549.1.9.5, signingTime (RFC 2985).
_SEQUENCE, _SET, _CONTEXT_0, _OCTET_STRING, _UTC_TIME = 0x30, 0x31, 0xA0, 0x04, 0x17
_SIGNING_TIME = bytes.fromhex("06092a864886f70d010905")
_UTC_TIME_YEARS = range(1950, 2050)

# Offsets in a PE32+ file: of the PE header's place, and from the optional header of the checksum and of the entry for
# the certificate table (Microsoft PE format, "Optional Header Data Directories").
_PE_OFFSET, _OPTIONAL_HEADER, _CHECKSUM, _CERTIFICATES = 0x3C, 24, 64, 144
_CERTIFICATE_HEADER = 8


@dataclass(frozen=True, slots=True)
class _Element:
    tag: int
    start: int  # of tag and length
    content: int
    end: int


def sign(program: Path, *, keys: SecureBoot, date: int, out: Path) -> None:
    """Write a signed copy of an EFI program to `out`, which may be the same path; `date` in seconds since 1970.

    Raises InputError if key or certificate is not there, HostError if `sbsign` or `openssl` is not installed, and
    ProcessError if one of them fails.
    """
    for name, path in (("key", keys.key), ("certificate", keys.certificate)):
        if not Path(path).is_file():
            raise InputError(
                f"the Secure Boot {name} {path} is not there", hint=f"check [secure_boot] {name} in the recipe"
            )
    with temporary_folder(out.parent) as folder:
        signed = folder / "signed"
        run(["sbsign", "--key", keys.key, "--cert", keys.certificate, "--output", signed, program])
        signed.write_bytes(_with_date(signed.read_bytes(), key=keys.key, date=date))
        signed.replace(out)


def _with_date(data: bytes, *, key: str, date: int) -> bytes:
    file = bytearray(data)
    (pe,) = struct.unpack_from("<I", file, _PE_OFFSET)
    optional = pe + _OPTIONAL_HEADER
    offset, size = struct.unpack_from("<II", file, optional + _CERTIFICATES)
    begin = offset + _CERTIFICATE_HEADER
    signer = _signer_info(file, begin=begin, end=offset + size)
    attributes = next(element for element in signer if element.tag == _CONTEXT_0)
    signature = next(element for element in signer if element.tag == _OCTET_STRING)
    place = file.find(_SIGNING_TIME, attributes.content, attributes.end)
    moment = next(
        _elements(file, next(_elements(file, place + len(_SIGNING_TIME), attributes.end)).content, begin + size)
    )
    file[moment.content : moment.end] = _utc_time(date)
    # What is signed is the set of attributes under its own tag, not under the one it has inside (RFC 2315, 9.3).
    message = bytes([_SET]) + file[attributes.start + 1 : attributes.end]
    file[signature.content : signature.end] = run(["openssl", "dgst", "-sha256", "-sign", key], stdin=message).stdout
    struct.pack_into("<I", file, optional + _CHECKSUM, 0)
    struct.pack_into("<I", file, optional + _CHECKSUM, _checksum(file))
    return bytes(file)


def _signer_info(data: bytes | bytearray, *, begin: int, end: int) -> list[_Element]:
    """Return the fields of the one SignerInfo in a PKCS #7 message (RFC 2315, sections 9.1 and 9.2)."""
    message = next(_elements(data, begin, end))
    _, wrapped = _elements(data, message.content, message.end)
    signed_data = next(_elements(data, wrapped.content, wrapped.end))
    signers = list(_elements(data, signed_data.content, signed_data.end))[-1]
    signer = next(_elements(data, signers.content, signers.end))
    return list(_elements(data, signer.content, signer.end))


def _elements(data: bytes | bytearray, position: int, end: int) -> Iterator[_Element]:
    """Yield the ASN.1 elements that stand one after the other (X.690, 8.1: definite lengths only)."""
    while position < end:
        length, content = data[position + 1], position + 2
        if length & 0x80:
            digits = length & 0x7F
            length, content = int.from_bytes(data[content : content + digits], "big"), content + digits
        yield _Element(tag=data[position], start=position, content=content, end=content + length)
        position = content + length


def _utc_time(date: int) -> bytes:
    moment = time.gmtime(date)
    if moment.tm_year not in _UTC_TIME_YEARS:
        raise InputError(f"the year {moment.tm_year} cannot stand in a Secure Boot signature")
    return time.strftime("%y%m%d%H%M%SZ", moment).encode()


def _checksum(file: bytearray) -> int:
    """Return the PE checksum: the sum of all 16-bit words with the carries added back, and the size."""
    words = array.array("H", bytes(file) + bytes(len(file) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total + len(file)
