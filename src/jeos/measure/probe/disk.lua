-- Requests to a disk, one at a time: small ones at places that nothing foresees, and large ones in order.
--
-- In the guest they bypass its own cache, so that each reaches the host; there, what is read is in the host's cache. On
-- the host the same is read from the cache. So the difference is what the way to the host costs, without any device.
-- Writes are flushed, and do reach the host's device from both sides.

local linux = require "linux"

local C = linux.C
local SMALL, BIG = 4096, 1024 * 1024

local function opened(settings, path, flags)
  local fd = linux.open(path, flags + (settings.guest and linux.DIRECT or 0))
  local data, release = linux.memory(BIG)
  for at = 0, BIG - 1, SMALL do data[at] = 1 end -- what is all zeros would not be written
  return fd, data, function()
    C.close(fd)
    release()
  end
end

local function reading(size, in_order)
  return function(settings)
    local fd, data, close = opened(settings, settings.disk, linux.READ_ONLY)
    local places, random, place = settings.disk_size / size, 12345, 0
    return function(count)
      local began = linux.now()
      for _ = 1, count do
        random = (random * 1103515245 + 12345) % 2147483648
        place = in_order and (place + 1) % places or math.floor(random / 2147483648 * places)
        if C.pread(fd, data, size, place * size) ~= size then error("cannot read the disk: " .. linux.why(), 0) end
      end
      return linux.now() - began
    end, close
  end
end

local function writing(settings)
  local fd, data, close = opened(settings, settings.written, linux.READ_WRITE)
  local places, place = settings.written_size / SMALL, 0
  return function(count)
    local began = linux.now()
    for _ = 1, count do
      place = (place + 17) % places
      if C.pwrite(fd, data, SMALL, place * SMALL) ~= SMALL then error("cannot write to the disk: " .. linux.why(), 0) end
      linux.check(C.fdatasync(fd), "flush the disk")
    end
    return linux.now() - began
  end, close
end

return {
  { name = "disk-read", make = reading(SMALL, false) },
  { name = "disk-write", make = writing },
  { name = "disk-stream", make = reading(BIG, true) },
}
