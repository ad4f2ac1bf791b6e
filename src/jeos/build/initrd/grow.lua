-- Let the data partition fill the disk: images are small, and the operator may give the machine a larger disk at any
-- time. The partition must be the last one. (GPT, UEFI specification 2.10, 5.3; BLKPG in linux/blkpg.h.)

local ffi = require "ffi"
local disks = require "disks"
local linux = require "linux"

ffi.cdef [[
  struct blkpg_partition { long long start, length; int number; char device[64], volume[64]; };
  struct blkpg_request { int operation, flags, length; void *data; };
]]

local grow = {}

local BLKPG, RESIZE = 0x1269, 3
local STEP = 1024 * 1024 -- bytes; the end of the partition stays aligned
local SIZE_FIELD = 458 -- in the protective MBR: how many sectors it covers

-- A number as little-endian bytes.
local function packed(value, size)
  local bytes = ""
  for _ = 1, size do
    bytes = bytes .. string.char(value % 256)
    value = math.floor(value / 256)
  end
  return bytes
end

-- `bytes` with `new` in place of what was at `offset`.
local function replaced(bytes, offset, new)
  return bytes:sub(1, offset) .. new .. bytes:sub(offset + #new + 1)
end

-- A header that says where it is and where the other one and its table are.
local function header_for(header, fields)
  header = replaced(header, 24, packed(fields.mine, 8) .. packed(fields.other, 8))
  header = replaced(header, 48, packed(fields.last_usable, 8))
  header = replaced(header, 72, packed(fields.table, 8))
  header = replaced(header, 88, packed(fields.checksum, 4))
  header = replaced(header, 16, packed(0, 4))
  return replaced(header, 16, packed(disks.crc32(header:sub(1, disks.number(header, 12, 4))), 4))
end

-- The end of a partition (its last sector) as its entry says, and where in the entries that is said.
local function end_of(entries, number, size)
  local offset = (number - 1) * size + 40
  return disks.number(entries, offset, 6), offset
end

local function is_last(entries, number, header)
  local size, last = header.entry_size, end_of(entries, number, header.entry_size)
  for other = 1, header.count do
    if end_of(entries, other, size) > last then return false end
  end
  return true
end

-- Write both copies of the table, the backup first: whenever the power fails, one that holds is there. (The kernel looks
-- at the backup only with "gpt" on its command line, where the build puts it.)
local function write_tables(disk, gpt, last)
  local sector, header = gpt.sector, gpt.header
  local sectors, checksum = math.ceil(#gpt.entries / sector), disks.crc32(gpt.entries)
  local usable = last - sectors - 1
  local backup = { mine = last, other = 1, table = last - sectors, last_usable = usable, checksum = checksum }
  local primary = { mine = 1, other = last, table = 2, last_usable = usable, checksum = checksum }
  local padding = ("\0"):rep(sectors * sector - #gpt.entries)
  linux.write("/dev/" .. disk, (last - sectors) * sector, gpt.entries .. padding .. header_for(header, backup))
  local first = replaced(gpt.first, SIZE_FIELD, packed(math.min(last, 0xFFFFFFFF), 4))
  linux.write("/dev/" .. disk, 0, first .. header_for(header, primary) .. gpt.entries)
end

local function resize(disk, number, start, length)
  local partition = ffi.new("struct blkpg_partition", { start = start, length = length, number = number })
  local request = ffi.new("struct blkpg_request", { operation = RESIZE, length = ffi.sizeof(partition), data = partition })
  linux.with("/dev/" .. disk, function(fd)
    linux.control(fd, BLKPG, request, "cannot tell the kernel the partition's new size")
  end)
end

-- Make partition `number` of a disk as large as the disk allows.
function grow.partition(disk, number, inform)
  local found = disks.read_table(disk)
  local last = tonumber(linux.read("/sys/block/" .. disk .. "/size")) * 512 / found.sector - 1
  if disks.number(found.header, 32, 6) >= last and not found.damaged then return end
  if not is_last(found.entries, number, found) then return end
  local old, offset = end_of(found.entries, number, found.entry_size)
  local start = disks.number(found.entries, offset - 8, 6)
  local step = STEP / found.sector
  local stop = math.floor((last - math.ceil(#found.entries / found.sector)) / step) * step - 1
  if stop > old then
    found.entries = replaced(found.entries, offset, packed(stop, 8))
  end
  write_tables(disk, found, last)
  if stop > old then
    resize(disk, number, start * found.sector, (stop + 1 - start) * found.sector)
    inform("partition " .. number .. " of " .. disk .. " grown to " .. (stop + 1 - start) * found.sector / 0x100000 .. " MiB")
  end
end

return grow
