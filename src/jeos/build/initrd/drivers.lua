-- Kernel modules: which ones this machine's hardware asks for, and loading them.

local linux = require "linux"
local list = require "driver_list" -- written by the build: what each module answers to, with what it needs before it

local drivers = {}
local loaded = {}

local function load_all(names)
  for name in names:gmatch("%S+") do
    if not loaded[name] then
      loaded[name] = true
      linux.load_module("/lib/modules/" .. name .. ".ko")
    end
  end
end

-- Load what every start needs: device mapper, verity and the file systems.
function drivers.load_always()
  load_all(list.always)
end

-- Load what the start goes on with from the system, which is the root by now.
function drivers.load_later()
  local folder = "/usr/lib/modules/" .. linux.read("/proc/sys/kernel/osrelease") .. "/"
  for path in list.later:gmatch("%S+") do linux.load_module(folder .. path) end
end

-- What the processors say they are: they are alike, and say it in one place. One that is emulated says nothing, since
-- SHA-256 in emulated vector instructions takes three times as long as in plain ones.
local function processor_modalias()
  local emulated = (linux.read("/proc/cpuinfo") or ""):find("QEMU TCG CPU", 1, true)
  return { not emulated and linux.read("/sys/devices/system/cpu/modalias") or nil }
end

-- What the devices of a bus say they are.
local function modaliases(bus)
  if bus == "cpu" then return processor_modalias() end
  local found, folder = {}, "/sys/bus/" .. bus .. "/devices/"
  for _, device in ipairs(linux.list(folder)) do
    found[#found + 1] = linux.read(folder .. device .. "/modalias") -- nothing is added where there is none
  end
  return found
end

-- Load the drivers of the devices that are there now; buses that they bring up show their devices in the next call.
-- A driver that fails is only reported: another one may find the disk.
function drivers.load_for_hardware(report)
  for bus, entries in pairs(list.hardware) do
    for _, alias in ipairs(modaliases(bus)) do
      for _, entry in ipairs(entries) do
        local done, message = true, nil
        if alias:find(entry[1]) then done, message = pcall(load_all, entry[2]) end
        if not done then report(message) end
      end
    end
  end
end

return drivers
