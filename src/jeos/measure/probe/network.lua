-- A TCP connection to the peer on the host (jeos/measure/peer.py): round trips of one byte, and streams of 1 MiB each way.

local ffi = require "ffi"
local linux = require "linux"

local C = linux.C
local INTERNET, STREAM, TCP, NO_DELAY = 2, 1, 6, 1 -- AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_NODELAY
local BIG, PIECE = 1024 * 1024, 65536

local function connected(settings)
  if not settings.peer then error(settings.no_peer or "there is no network", 0) end
  local address = ffi.new("uint8_t[16]", { INTERNET, 0, math.floor(settings.port / 256), settings.port % 256 })
  local index = 4
  for part in settings.peer:gmatch("%d+") do
    address[index], index = tonumber(part), index + 1
  end
  local fd = linux.check(C.socket(INTERNET, STREAM, 0), "make a socket")
  C.setsockopt(fd, TCP, NO_DELAY, ffi.new("int[1]", 1), 4)
  linux.check(C.connect(fd, address, 16), "reach the host at " .. settings.peer)
  return fd
end

local function all(move, fd, data, size)
  local done = 0
  while done < size do
    local moved = tonumber(move(fd, data + done, math.min(size - done, PIECE)))
    if moved <= 0 then error("the connection to the host broke: " .. linux.why(), 0) end
    done = done + moved
  end
end

-- An order to the peer: what to do, and how often.
local function order(kind, count)
  local bytes = ffi.new("uint8_t[9]")
  bytes[0] = kind:byte()
  for index = 1, 8 do
    bytes[index], count = count % 256, math.floor(count / 256)
  end
  return bytes
end

local function talking(kind, turn)
  return function(settings)
    local fd = connected(settings)
    local data, release = linux.memory(BIG)
    local function run(count)
      local began = linux.now()
      all(C.write, fd, order(kind, count), 9)
      for _ = 1, count do turn(fd, data) end
      if kind == "s" then all(C.read, fd, data, 1) end -- the peer has it all
      return linux.now() - began
    end
    return run, function()
      C.close(fd)
      release()
    end
  end
end

return {
  {
    name = "network-round-trip",
    make = talking("e", function(fd, data)
      all(C.write, fd, data, 1)
      all(C.read, fd, data, 1)
    end),
    least = 4,
  },
  { name = "network-send", make = talking("s", function(fd, data) all(C.write, fd, data, BIG) end) },
  { name = "network-receive", make = talking("r", function(fd, data) all(C.read, fd, data, BIG) end) },
}
