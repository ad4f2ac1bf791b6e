#!/usr/bin/luajit
-- The only program of the guest that is measured: it gets drivers and the network ready, and then runs the probe.

package.path = "/probe/?.lua"
local ffi = require "ffi"
local linux = require "linux"
local settings = require "settings"

local C = linux.C
local INTERNET, DATAGRAM = 2, 2
local SET_ADDRESS, SET_MASK, SET_FLAGS, UP = 0x8916, 0x891c, 0x8914, 1 -- SIOCSIFADDR, …NETMASK, …FLAGS, IFF_UP
local DISK_MILLISECONDS = 5000

-- An ifreq of an interface's name and, at 16, what follows. Source: netdevice(7).
local function request(name, bytes)
  local made = ffi.new("uint8_t[40]")
  ffi.copy(made, name)
  for index, byte in ipairs(bytes) do made[15 + index] = byte end
  return made
end

local function address(text)
  local bytes = { INTERNET, 0, 0, 0 }
  for part in text:gmatch("%d+") do bytes[#bytes + 1] = tonumber(part) end
  return bytes
end

local function bring_up(name, own)
  local fd = linux.check(C.socket(INTERNET, DATAGRAM, 0), "make a socket")
  if own then
    linux.check(C.ioctl(fd, SET_ADDRESS, request(name, address(own))), "give " .. name .. " an address")
    linux.check(C.ioctl(fd, SET_MASK, request(name, address("255.255.255.0"))), "give " .. name .. " a mask")
  end
  linux.check(C.ioctl(fd, SET_FLAGS, request(name, { UP, 0 })), "bring up " .. name)
  C.close(fd)
end

local function wait_for(path)
  for _ = 1, DISK_MILLISECONDS / 10 do
    local fd = C.open(path, 0)
    if fd >= 0 then return C.close(fd) end
    C.poll(nil, 0, 10)
  end
end

local function main()
  linux.mount("proc", "/proc", "proc")
  linux.mount("sysfs", "/sys", "sysfs")
  linux.mount("devtmpfs", "/dev", "devtmpfs")
  -- Which a kernel turns off by itself where memory is small.
  linux.put("/sys/kernel/mm/transparent_hugepage/enabled", "madvise")
  for _, name in ipairs(settings.drivers) do linux.load_module("/probe/" .. name) end
  local up, why = pcall(bring_up, "eth0", settings.address)
  if not up then settings.peer, settings.no_peer = nil, why end
  wait_for(settings.disk)
  require "probe"(settings)
end

local done, why = pcall(main)
if not done then print("@ failed " .. tostring(why)) end
while true do C.poll(nil, 0, 1000) end -- the host ends the machine
