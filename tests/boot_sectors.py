"""Boot sectors that say one line on the serial port and stop: what a BIOS starts in a tenth of a second."""

CODE = bytes.fromhex(
    "fc 31c0 8ed8 baf803 be167c"  # cld; xor %ax, %ax; mov %ax, %ds; mov $0x3f8, %dx; mov $0x7c16, %si (behind the code)
    "ac 84c0 7403 ee ebf8"  # say: lodsb; test %al, %al; jz stop; out %al, %dx; jmp say
    "f4 ebfd"  # stop: hlt; jmp stop
)
CODE_BYTES = 440  # what stands before the disk's signature and its partition table


def saying(text: str) -> bytes:
    """Return a disk of 1 MiB whose boot sector prints the text and halts."""
    code = CODE + text.encode() + b"\0"
    assert len(code) <= CODE_BYTES
    return code.ljust(510, b"\0") + b"\x55\xaa" + bytes((1 << 20) - 512)
