-- Find the disk that holds this system, by the identities in its partition table (GPT, UEFI specification 2.10, 5.3).
--
-- The table is read from the disk itself: kernels before 6.9 do not tell a partition's UUID without udev.

local bit = require "bit"
local linux = require "linux"

local disks = {}

-- What is never the disk of an appliance; opening some of them would wait for a drive.
local NOT_DISKS = { "^loop", "^ram", "^zram", "^dm%-", "^sr", "^fd", "^md", "^nbd" }
local LARGEST_TABLE = 65536 -- bytes; the usual one has 16 KiB

-- A little-endian number of up to six bytes (Lua's numbers are exact to 2^53).
function disks.number(bytes, offset, size)
  local value = 0
  for index = offset + size, offset + 1, -1 do
    value = value * 256 + bytes:byte(index)
  end
  return value
end

-- A GUID as text: its first three fields are little-endian.
local function guid(bytes, offset)
  local order = { 4, 3, 2, 1, 6, 5, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16 }
  local text = ""
  for place, index in ipairs(order) do
    if place == 5 or place == 7 or place == 9 or place == 11 then text = text .. "-" end
    text = text .. string.format("%02x", bytes:byte(offset + index))
  end
  return text
end

-- The device files of a disk's partitions, by partition number.
local function partition_devices(disk)
  local devices = {}
  for _, name in ipairs(linux.list("/sys/block/" .. disk)) do
    local number = name:sub(1, #disk) == disk and linux.read("/sys/block/" .. disk .. "/" .. name .. "/partition")
    if number then devices[tonumber(number)] = "/dev/" .. name end
  end
  return devices
end

-- CRC-32 as GPT uses it, by a table: the entries are checked at each start.
local checksums = {}
for byte = 0, 255 do
  local value = byte
  for _ = 1, 8 do
    value = bit.bxor(bit.rshift(value, 1), bit.band(0xEDB88320, -bit.band(value, 1)))
  end
  checksums[byte] = value
end

function disks.crc32(bytes)
  local value = bit.bnot(0)
  for index = 1, #bytes do
    value = bit.bxor(bit.rshift(value, 8), checksums[bit.band(bit.bxor(value, bytes:byte(index)), 255)])
  end
  return bit.bnot(value) % 0x100000000
end

-- The table whose header is in this sector, if it is whole.
local function table_at(file, sector, position)
  file:seek("set", position * sector)
  local header = file:read(sector)
  if not header or #header < sector or header:sub(1, 8) ~= "EFI PART" then return nil end
  local length = disks.number(header, 12, 4)
  local summed = header:sub(1, 16) .. ("\0"):rep(4) .. header:sub(21, length)
  if length > sector or disks.crc32(summed) ~= disks.number(header, 16, 4) then return nil end
  local count, size = disks.number(header, 80, 4), disks.number(header, 84, 4)
  file:seek("set", disks.number(header, 72, 6) * sector)
  local entries = count * size <= LARGEST_TABLE and file:read(count * size)
  if not entries or disks.crc32(entries) ~= disks.number(header, 88, 4) then return nil end
  return { header = header, entries = entries, count = count, entry_size = size, sector = sector }
end

-- What a disk's partition table consists of, as { first = the first sector, header, entries, count, entry_size, sector,
-- damaged = the first copy did not hold, this is the one at the disk's end }; nil if there is none.
function disks.read_table(disk)
  local sector = tonumber(linux.read("/sys/block/" .. disk .. "/queue/logical_block_size"))
  local file = sector and io.open("/dev/" .. disk, "rb")
  if not file then return nil end
  local first = file:read(sector)
  local found = first and table_at(file, sector, 1)
  if first and not found then
    found = table_at(file, sector, tonumber(linux.read("/sys/block/" .. disk .. "/size")) * 512 / sector - 1)
    if found then found.damaged = true end
  end
  if found then found.first = first end
  file:close()
  return found
end

-- The partitions of a disk, as { number, device, uuid, label }; none if it has no table.
local function partitions(disk)
  local found, read = {}, disks.read_table(disk)
  local devices = read and partition_devices(disk)
  for number = 1, read and read.count or 0 do
    local offset = (number - 1) * read.entry_size
    local label = read.entries:sub(offset + 57, offset + 128):gsub("%z", "") -- UTF-16; ours are ASCII
    if devices[number] then
      local uuid = guid(read.entries, offset + 16)
      found[#found + 1] = { number = number, device = devices[number], uuid = uuid, label = label }
    end
  end
  return found
end

-- The UUID that half of a root hash stands for: 1 is the system's partition, 2 that of its hashes.
local function uuid_of(root_hash, half)
  local digits = half == 1 and root_hash:sub(1, 32) or root_hash:sub(-32)
  return (digits:gsub("^(%x%x%x%x%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x%x%x%x)", "%1-%2-%3-%4-"))
end

-- The devices { system, hashes, data }, the name of the disk and the data's partition number, for the first disk that holds the system with this root hash, or nil.
function disks.find(root_hash)
  for _, disk in ipairs(linux.list("/sys/block")) do
    local skip = false
    for _, pattern in ipairs(NOT_DISKS) do skip = skip or disk:find(pattern) end
    local found = { disk = disk }
    for _, partition in ipairs(skip and {} or partitions(disk)) do
      if partition.uuid == uuid_of(root_hash, 1) then found.system = partition.device end
      if partition.uuid == uuid_of(root_hash, 2) then found.hashes = partition.device end
      if partition.label == "data" then found.data, found.data_number = partition.device, partition.number end
    end
    if found.system and found.hashes then return found end
  end
end

return disks
