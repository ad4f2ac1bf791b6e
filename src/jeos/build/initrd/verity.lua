-- Set up dm-verity: a device whose every block is checked against the root hash when it is read.
--
-- The ioctls are those of linux/dm-ioctl.h; the table is Documentation/admin-guide/device-mapper/verity.rst, the
-- superblock cryptsetup's "Verity superblock format". Nothing in the superblock needs trust: a changed salt or
-- size leads to other hashes, which do not lead to the root hash.

local ffi = require "ffi"
local disks = require "disks"
local linux = require "linux"

ffi.cdef [[
  struct dm_ioctl {
    uint32_t version[3], data_size, data_start, target_count;
    int32_t open_count;
    uint32_t flags, event_number, padding;
    uint64_t device;
    char name[128], uuid[129], data[7];
  };
  struct dm_target { uint64_t start, length; int32_t status; uint32_t next; char type[16]; };
  struct dm_request { struct dm_ioctl head; struct dm_target target; char parameters[2048]; };
]]

local verity = {}

local DEV_CREATE, DEV_SUSPEND, TABLE_LOAD = 0xC138FD03, 0xC138FD06, 0xC138FD09
local DM_READ_ONLY = 1
local SECTOR = 512

-- What happens when a block does not have its hash: `jeos.verity=` on the kernel's command line.
local ON_CORRUPTION = { restart = "1 restart_on_corruption", panic = "1 panic_on_corruption", error = "" }

local function hex(bytes)
  return (bytes:gsub(".", function(character) return string.format("%02x", character:byte()) end))
end

local function read_superblock(device)
  local file = io.open(device, "rb")
  local block = file and file:read(SECTOR)
  if file then file:close() end
  if not block or #block < SECTOR or block:sub(1, 8) ~= "verity\0\0" then
    error("no verity superblock on " .. device, 0)
  end
  local salt = block:sub(89, 88 + disks.number(block, 80, 2))
  return {
    type = disks.number(block, 12, 4),
    uuid = hex(block:sub(17, 32)),
    algorithm = block:sub(33, 64):gsub("%z+$", ""),
    data_block = disks.number(block, 64, 4),
    hash_block = disks.number(block, 68, 4),
    blocks = disks.number(block, 72, 6),
    salt = #salt > 0 and hex(salt) or "-",
  }
end

local function request()
  local value = ffi.new("struct dm_request")
  value.head.version[0] = 4
  value.head.data_size, value.head.data_start = ffi.sizeof(value), ffi.sizeof("struct dm_ioctl")
  value.head.flags = DM_READ_ONLY
  value.head.name = "system"
  return value
end

-- Make the device for the blocks of `system` with the hashes on `hashes`, and return its path.
function verity.open(system, hashes, root_hash, on_corruption)
  local super = read_superblock(hashes)
  local option = ON_CORRUPTION[on_corruption] or error("jeos.verity=" .. on_corruption .. " is not restart, panic or error", 0)
  local parameters = string.format("%d %s %s %d %d %d 1 %s %s %s %s", super.type, system, hashes, super.data_block,
    super.hash_block, super.blocks, super.algorithm, root_hash, super.salt, option)
  local device
  linux.with("/dev/mapper/control", function(fd)
    local create = request()
    create.head.uuid = "CRYPT-VERITY-" .. super.uuid .. "-system" -- as veritysetup names it, so that it finds it
    linux.control(fd, DEV_CREATE, create, "cannot make the verity device")
    local number = tonumber(create.head.device)
    device = "/dev/dm-" .. (number % 256 + math.floor(number / 0x100000) * 256)

    local load = request()
    load.head.target_count = 1
    load.target.length = super.blocks * super.data_block / SECTOR
    load.target.type = "verity"
    load.parameters = parameters
    linux.control(fd, TABLE_LOAD, load, "cannot set up verity with " .. parameters)

    linux.control(fd, DEV_SUSPEND, request(), "cannot start the verity device") -- without the flag it resumes
  end)
  return device
end

return verity
