-- Find the disk that holds this system, by the identities in its partition table (GPT, UEFI specification 2.10, 5.3).
--
-- The table is read from the disk itself: kernels before 6.9 do not tell a partition's UUID without udev.

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

-- The partitions of a disk, as { device, uuid, label }; none if it has no table.
local function partitions(disk)
  local found, sector = {}, tonumber(linux.read("/sys/block/" .. disk .. "/queue/logical_block_size"))
  local file = io.open("/dev/" .. disk, "rb")
  if not file or not sector then return found end
  file:seek("set", sector)
  local header = file:read(92)
  if header and #header == 92 and header:sub(1, 8) == "EFI PART" then
    local count, size = disks.number(header, 80, 4), disks.number(header, 84, 4)
    file:seek("set", disks.number(header, 72, 6) * sector)
    local entries = count * size <= LARGEST_TABLE and file:read(count * size) or ""
    local devices = partition_devices(disk)
    for number = 1, math.floor(#entries / size) do
      local offset = (number - 1) * size
      local label = entries:sub(offset + 57, offset + 128):gsub("%z", "") -- UTF-16; ours are ASCII
      if devices[number] then
        found[#found + 1] = { device = devices[number], uuid = guid(entries, offset + 16), label = label }
      end
    end
  end
  file:close()
  return found
end

-- The UUID that half of a root hash stands for: 1 is the system's partition, 2 that of its hashes.
local function uuid_of(root_hash, half)
  local digits = half == 1 and root_hash:sub(1, 32) or root_hash:sub(-32)
  return (digits:gsub("^(%x%x%x%x%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x%x%x%x)", "%1-%2-%3-%4-"))
end

-- The devices { system, hashes, data } of the first disk that holds the system with this root hash, or nil.
function disks.find(root_hash)
  for _, disk in ipairs(linux.list("/sys/block")) do
    local skip = false
    for _, pattern in ipairs(NOT_DISKS) do skip = skip or disk:find(pattern) end
    local found = {}
    for _, partition in ipairs(skip and {} or partitions(disk)) do
      if partition.uuid == uuid_of(root_hash, 1) then found.system = partition.device end
      if partition.uuid == uuid_of(root_hash, 2) then found.hashes = partition.device end
      if partition.label == "data" then found.data = partition.device end
    end
    if found.system and found.hashes then return found end
  end
end

return disks
