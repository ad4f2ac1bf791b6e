-- Measure one thing after another, each when told to, and say on standard output how long its operations took.
--
-- The same program, by the same interpreter, runs on the host and in the guest. Lines to the outside:
--   @ fact NAME TEXT                                   what is worth knowing of this system
--   @ ready NAME                                       waits for a line before it measures NAME
--   @ warm NAME                                        waits again, with all prepared and caches filled
--   @ stop NAME                                        waits again, so that what it says next is not counted as NAME's
--   @ done NAME OPERATIONS FAULTS MISSES WAITED NS …   operations of all repetitions; page faults, misses of the data
--                                                      TLB and ns of waiting for a processor during them ("-": not
--                                                      known); then ns of one operation, for each repetition
--   @ lacks NAME WHY                                   NAME cannot be measured here
--   @ end
-- The jit of LuaJIT compiles the loops; what is in them are calls of the C library and code of our own.

local linux = require "linux"

local FEWEST = 12 -- repetitions, however long they take
local GROW = 4 -- how much longer one looks for the number of operations that fills a repetition

local function say(...)
  io.stdout:write("@ ", table.concat({ ... }, " "), "\n")
  io.stdout:flush()
end

local function facts(tlb_reason)
  say("fact", "kernel", linux.content("/proc/sys/kernel/osrelease") or "?")
  local model = (linux.content("/proc/cpuinfo") or ""):match("model name%s*:%s*([^\n]*)")
  say("fact", "processor", model or "?")
  say("fact", "clock", linux.content("/sys/devices/system/clocksource/clocksource0/current_clocksource") or "?")
  local huge = linux.content("/sys/kernel/mm/transparent_hugepage/enabled") or ""
  say("fact", "huge-pages", huge:match("%[(%w+)%]") or "none")
  say("fact", "tlb-counter", tlb_reason or "yes")
end

-- How many operations fill a repetition, found by trying; the better of two tries counts, since the first is often one
-- in which code is compiled and caches are filled.
local function calibrate(run, least, slice)
  local count = least
  while true do
    local took = 1e18
    for _ = 1, 2 do
      local began = linux.now()
      run(count)
      took = math.min(took, linux.now() - began)
    end
    if took >= slice / 2 then return math.max(least, math.floor(count * slice / took / least) * least) end
    count = count * math.max(2, math.min(GROW, math.floor(slice / took)))
  end
end

local function measure(one, settings, misses)
  local run, finish = one.make(settings)
  local count = one.fixed or calibrate(run, one.least or 1, settings.slice)
  local took = {}
  say("warm", one.name)
  io.stdin:read("*l")
  local faults, missed, waited = linux.faults(), misses and misses(), linux.waited()
  local operations, until_then = 0, linux.now() + settings.budget
  while #took < settings.repetitions and (#took < FEWEST or linux.now() < until_then) do
    took[#took + 1] = string.format("%.4g", run(count) / count)
    operations = operations + count
  end
  faults, missed = linux.faults() - faults, missed and misses() - missed
  waited = waited and linux.waited() - waited
  say("stop", one.name)
  io.stdin:read("*l")
  if finish then finish() end
  local function number(value) return value and string.format("%.0f", value) or "-" end
  say("done", one.name, number(operations), number(faults), number(missed), number(waited), table.concat(took, " "))
end

-- The measurements that are asked for: all, or those that `settings.only` names.
local function wanted(settings)
  local names = {}
  for _, name in ipairs(settings.only or {}) do names[name] = true end
  local chosen = {}
  for _, group in ipairs { "memory", "processor", "processes", "disk", "network" } do
    for _, one in ipairs(require(group)) do
      if not settings.only or names[one.name] then chosen[#chosen + 1] = one end
    end
  end
  return chosen
end

return function(settings)
  local misses, tlb_reason = linux.tlb_counter()
  facts(tlb_reason)
  for _ = 1, settings.rounds or 1 do
    for _, one in ipairs(wanted(settings)) do
      say("ready", one.name)
      if not io.stdin:read("*l") then return end
      local measured, why = pcall(measure, one, settings, misses)
      if not measured then say("lacks", one.name, (tostring(why):gsub("%s+", " "))) end
    end
  end
  say("end")
end
