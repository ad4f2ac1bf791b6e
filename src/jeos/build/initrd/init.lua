#!/usr/bin/luajit
-- The first program of an appliance: find the system, verify it, mount it with its data, and start it.
--
-- Kernel parameters:
--   roothash=HEX                       dm-verity's root hash; it also says which partitions hold the system
--   jeos.verity=restart|panic|error    what a block with a wrong hash leads to; the default lets boot counting fall back
--   jeos.data=disk|volatile            where /var is: on the data partition, or in memory and gone at the next start
--   init=PATH                          what to start in place of systemd
--   panic=SECONDS                      how long a failure is shown before the machine starts again
--
-- Nothing here waits for a person: a start that fails ends in a new start, so that the boot loader can count it
-- and fall back to the other slot.

io.write("jeos: initrd\n") -- benchmarks and tests wait for this line
io.flush()

package.path = "/lib/jeos/?.lua"
local linux = require "linux"
local drivers = require "drivers"
local disks = require "disks"
local verity = require "verity"
local data = require "data"
local grow = require "grow"

local SYSTEM = "/sysroot"
local DISK_DEADLINE = 30 -- seconds; slow storage controllers take more than 10 to show a disk
local FIRST_INTERVAL, LAST_INTERVAL = 0.01, 0.25 -- seconds between looks; slow disks are no hurry
local SHOWN_FAILURE = 10 -- seconds
local QUIET, ERRORS = "3", "4" -- levels of the kernel's console: what is less than the number is shown
local INITS = { "/usr/lib/systemd/systemd", "/sbin/init" }

-- Say a thing in the kernel's log, from where the journal takes it; `level` is syslog's.
local function say(text, level)
  local log = io.open("/dev/kmsg", "w") or io.stdout
  log:write(string.format("<%d>jeos: %s\n", level, text))
  log:flush()
end

local function inform(text) say(text, 6) end
local function warn(text) say(text, 3) end -- shown with `quiet` too

local parameters = {}

local function read_parameters()
  for word in linux.read("/proc/cmdline"):gmatch("%S+") do
    local name, value = word:match("^([^=]+)=?(.*)$")
    parameters[name] = value
  end
end

local function mount_kernel_file_systems()
  local safe = linux.NO_SUID + linux.NO_DEVICES + linux.NO_PROGRAMS
  linux.mount("proc", "/proc", "proc", safe)
  linux.mount("sysfs", "/sys", "sysfs", safe)
  linux.mount("devtmpfs", "/dev", "devtmpfs", linux.NO_SUID, "mode=755")
end

-- Show the kernel's errors from here on, if its command line (see boot.py) left them out so far.
local function show_errors()
  if parameters.loglevel ~= QUIET then return end
  local level = io.open("/proc/sys/kernel/printk", "w")
  if level then
    level:write(ERRORS)
    level:close()
  end
end

local function wait_for_disk(root_hash)
  local deadline, interval = linux.uptime() + DISK_DEADLINE, FIRST_INTERVAL
  repeat
    drivers.load_for_hardware(warn)
    local found = disks.find(root_hash)
    if found then return found end
    linux.sleep(interval)
    interval = math.min(interval * 1.5, LAST_INTERVAL)
  until linux.uptime() > deadline
  local names = table.concat(linux.list("/sys/block"), " ")
  error("no disk holds the system with root hash " .. root_hash .. "; there are: " .. (names ~= "" and names or "none"), 0)
end

-- Give the memory of the initial file system back: what runs now stays until the system is started.
local function remove_files(folder)
  for _, name in ipairs(linux.list(folder)) do
    local path = folder .. "/" .. name
    if not os.remove(path) then remove_files(path) end
  end
end

local function move_to_system()
  for _, folder in ipairs { "/proc", "/sys", "/dev" } do
    linux.mount(folder, SYSTEM .. folder, nil, linux.MOVE)
  end
  for _, folder in ipairs { "/usr", "/lib" } do remove_files(folder) end
  linux.switch_root(SYSTEM)
end

local function start(path)
  for _, init in ipairs(path and { path } or INITS) do
    if linux.exists(init) then linux.execute(init) end
  end
  error("nothing to start: no " .. (path or table.concat(INITS, " and no ")), 0)
end

local function boot()
  mount_kernel_file_systems()
  read_parameters()
  show_errors()
  local root_hash = parameters.roothash or error("the kernel's command line has no roothash=", 0)
  local found = wait_for_disk(root_hash)
  drivers.load_always()
  if found.data then
    local grown, message = pcall(grow.partition, found.disk, found.data_number, inform)
    if not grown then warn("the data partition keeps its size: " .. message) end
  end
  local device = verity.open(found.system, found.hashes, root_hash, parameters["jeos.verity"] or "restart")
  linux.mount(device, SYSTEM, "erofs", linux.READ_ONLY)
  inform("system on " .. found.system .. ", root hash " .. root_hash)
  move_to_system()
  drivers.load_later()
  data.mount(found.data, parameters["jeos.data"] or "disk", inform, warn)
  start(parameters.init)
end

local _, reason = pcall(boot)
local wait = tonumber(parameters.panic) or 0
wait = wait > 0 and wait or SHOWN_FAILURE
say("start failed: " .. tostring(reason), 2)
say("starting again in " .. wait .. " s", 2)
linux.sleep(wait)
linux.reboot()
