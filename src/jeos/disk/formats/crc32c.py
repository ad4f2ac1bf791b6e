"""CRC-32C (Castagnoli), as VHDX has it in its headers: reflected polynomial 0x82F63B78 (RFC 3720, appendix B.4)."""

_POLYNOMIAL = 0x82F63B78


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_TABLE = _table()


def crc32c(content: bytes, *, start: int = 0xFFFFFFFF) -> int:
    """Return the checksum of some bytes; about 10 MB a second. `start` is what the register holds at first."""
    value, table = start, _TABLE
    for byte in content:
        value = table[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF
