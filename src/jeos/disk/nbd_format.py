"""The words of the network block device protocol that its client and server here share.

Source: the NBD project, doc/proto.md: fixed newstyle negotiation, structured replies, `base:allocation`. QEMU,
docs/interop/nbd.txt: `qemu:dirty-bitmap:NAME`.
"""

import struct

MAGIC = b"NBDMAGIC"
OPTION_MAGIC = b"IHAVEOPT"
REPLY_MAGIC = 0x3E889045565A9
REQUEST_MAGIC = 0x25609513
SIMPLE_MAGIC = 0x67446698
STRUCTURED_MAGIC = 0x668E33EF

FIXED_NEWSTYLE = 1 << 0  # of the handshake's flags, in both directions
NO_ZEROES = 1 << 1

EXPORT_NAME, ABORT, LIST, INFO, GO = 1, 2, 3, 6, 7
STRUCTURED_REPLY, LIST_META_CONTEXT, SET_META_CONTEXT = 8, 9, 10

REP_ACK, REP_SERVER, REP_INFO, REP_META_CONTEXT = 1, 2, 3, 4
REP_ERROR = 1 << 31
REP_UNSUPPORTED, REP_INVALID, REP_UNKNOWN = REP_ERROR + 1, REP_ERROR + 3, REP_ERROR + 6
INFO_EXPORT, INFO_BLOCK_SIZE = 0, 3

HAS_FLAGS, READ_ONLY, SEND_DF, MULTI_CONNECTION = 1 << 0, 1 << 1, 1 << 7, 1 << 8  # of an export

READ, WRITE, DISCONNECT, FLUSH, BLOCK_STATUS = 0, 1, 2, 3, 7
DO_NOT_FRAGMENT, REQUEST_ONE = 1 << 2, 1 << 3  # of a command

DONE = 1 << 0  # of a structured reply
NONE, OFFSET_DATA, OFFSET_HOLE, STATUS = 0, 1, 2, 5
IS_ERROR = 1 << 15
ERROR = IS_ERROR + 1

HOLE, ZERO = 1 << 0, 1 << 1  # of an extent of base:allocation
DIRTY = 1 << 0  # of an extent of qemu:dirty-bitmap:NAME
ALLOCATION = "base:allocation"
DIRTY_BITMAP = "qemu:dirty-bitmap:"

PERMISSION, IO_ERROR, INVALID = 1, 5, 22  # the protocol's error numbers

OPTION = struct.Struct(">8sII")
OPTION_REPLY = struct.Struct(">QIII")
EXPORT = struct.Struct(">HQH")
BLOCK_SIZES = struct.Struct(">HIII")
REQUEST = struct.Struct(">IHHQQI")
SIMPLE = struct.Struct(">IIQ")
STRUCTURED = struct.Struct(">IHHQI")
HOLE_CHUNK = struct.Struct(">QI")
ERROR_CHUNK = struct.Struct(">IH")
EXTENT = struct.Struct(">II")
U32 = struct.Struct(">I")
U64 = struct.Struct(">Q")

LONGEST_NAME = 4096  # bytes of an export's or a context's name
LONGEST_REQUEST = 32 << 20  # bytes of one read that every server takes
