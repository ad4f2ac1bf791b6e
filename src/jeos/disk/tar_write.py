"""Headers of tar archives that are written piece by piece; each content follows its header, padded to 512 bytes."""

from jeos.core.errors import InputError

BLOCK = 512  # bytes
RECORD = 20 * BLOCK  # what tar writes at once; archives end at a multiple
END = 2 * BLOCK  # zeros
LARGEST_OCTAL = 1 << 33  # bytes; a size from here on does not fit eleven octal digits
TIME = 315532800  # 1980-01-01; the same for all, so that the same image gives the same archive
USTAR, OLD_GNU = b"ustar\x0000", b"ustar  \x00"  # magic and version of the two forms


def padded(size: int, *, unit: int = BLOCK) -> int:
    """Return the next multiple of a unit."""
    return -(-size // unit) * unit


def header(
    name: str, size: int, *, owner: int = 0, mode: int = 0o644, folder: bool = False, magic: bytes = USTAR
) -> bytes:
    """Return a header; a size of 8 GiB or more is binary, as GNU's tar began to write it and all known readers take.

    Raises InputError for a name that is too long.
    """
    text = name.encode()
    if len(text) > 100:
        raise InputError(f"{name} is too long a name for an archive", hint="a recipe's name and version may be shorter")
    octal = f"{size:011o}\0".encode() if size < LARGEST_OCTAL else b"\x80" + size.to_bytes(11, "big")
    ids = f"{owner:07o}\0".encode()
    fields = (
        text.ljust(100, b"\0"),
        f"{mode:07o}\0".encode(),
        ids,
        ids,
        octal,
        f"{TIME:011o}\0".encode(),
        b" " * 8,  # the sum, as it counts in itself
        b"5" if folder else b"0",
        bytes(100),
        magic,
        bytes(64),  # owner and group by name: nobody here
        b"0000000\0" * 2,
    )
    block = b"".join(fields).ljust(BLOCK, b"\0")
    return block[:148] + f"{sum(block):06o}\0 ".encode() + block[156:]
