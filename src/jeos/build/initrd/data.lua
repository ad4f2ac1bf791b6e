-- The part of the system that changes: /var on the data partition, and /etc as an overlay that is kept there.
--
-- A data partition that cannot be written is mounted read-only, with changes to /etc in memory: the machine comes up
-- and says what it lacks, its health checks fail, and its data stays as it was. One that cannot be mounted at all, or
-- that is missing, fails the start: a machine that seems new would be worse.

local bit = require "bit"
local ffi = require "ffi"
local disks = require "disks"
local linux = require "linux"

local data = {}

local ETC = "/var/lib/jeos/etc"
local MEMORY = "/run"
-- What an update that failed leaves to be put back (jeos.update.snapshot): the changes to /etc from before it.
local NEXT, REPLACED = "/upper.next", "/upper.replaced-"

-- Changes to a lower /etc between releases are only well defined without these (kernel: filesystems/overlayfs.rst).
local OVERLAY = "index=off,metacopy=off,redirect_dir=off,lowerdir=/etc,upperdir=%s/upper,workdir=%s/work"

local EXT4_RESIZE = 0x40086610 -- EXT4_IOC_RESIZE_FS: _IOW('f', 16, __u64)
local SUPERBLOCK, MAGIC = 1024, "\x53\xEF"

-- The size of a block and the number of blocks of an ext4 file system; nil if there is none on the device.
local function ext4_size(device)
  local file = io.open(device, "rb")
  file:seek("set", SUPERBLOCK)
  local block = file:read(1024) or ""
  file:close()
  if block:sub(57, 58) ~= MAGIC then return nil end
  local blocks = disks.number(block, 4, 4) + disks.number(block, 0x150, 2) * 0x100000000
  return bit.lshift(1024, disks.number(block, 0x18, 4)), blocks
end

-- Let the file system fill its partition: the build makes it small, and disks may grow later.
local function grow(device, inform, warn)
  local block_size, blocks = ext4_size(device)
  local sectors = tonumber(linux.read("/sys/class/block/" .. device:match("[^/]+$") .. "/size"))
  local wanted = block_size and math.floor(sectors * 512 / block_size)
  if not wanted or wanted <= blocks then return end
  local done, message = pcall(linux.with, "/var", function(fd)
    linux.control(fd, EXT4_RESIZE, ffi.new("uint64_t[1]", wanted), "cannot grow the data file system")
  end)
  if done then inform("data grown to " .. wanted * block_size / 0x100000 .. " MiB") else warn(message) end
end

-- Mount /var; returns whether it can be written.
local function mount_var(device, place, inform, warn)
  if place == "volatile" then
    linux.mount("tmpfs", "/var", "tmpfs", linux.NO_SUID + linux.NO_DEVICES, "mode=755")
    return true
  end
  if place ~= "disk" then error("jeos.data=" .. place .. " is not disk or volatile", 0) end
  if not device then error("the system's disk has no partition with the label data", 0) end
  local flags = linux.NO_SUID + linux.NO_DEVICES
  local done, message = pcall(linux.mount, device, "/var", "ext4", flags)
  if done then
    grow(device, inform, warn)
    return true
  end
  warn(message .. "; trying read-only")
  linux.mount(device, "/var", "ext4", flags + linux.READ_ONLY, "noload")
  return false
end

-- Mount /var and /etc in the system that is the root already.
function data.mount(device, place, inform, warn)
  local writable = mount_var(device, place, inform, warn)
  local folder = ETC
  if not writable then
    linux.mount("tmpfs", MEMORY, "tmpfs", linux.NO_SUID + linux.NO_DEVICES, "mode=755")
    folder = MEMORY .. "/jeos/etc"
  end
  if linux.exists(folder .. NEXT) then
    os.rename(folder .. "/upper", folder .. REPLACED .. os.time()) -- fails if the power went right after it, which does no harm
    os.rename(folder .. NEXT, folder .. "/upper")
  end
  linux.make_folders(folder .. "/upper")
  linux.make_folders(folder .. "/work")
  linux.mount("overlay", "/etc", "overlay", 0, OVERLAY:format(folder, folder))
end

return data
