-- What a program does by itself, and how it enters its kernel: arithmetic, system calls, timers.

local ffi = require "ffi"
local code = require "code"
local linux = require "linux"

local C = linux.C
local SLEEP = 100000 -- nanoseconds
local CLOCK_MONOTONIC, ABSOLUTE = 1, 1
local SET_TIMER_SLACK = 29

local function loop(described)
  return function()
    local run = code.make(described)
    return function(count)
      local began = linux.now()
      run(count)
      return linux.now() - began
    end
  end
end

-- How late a process wakes up that asked to sleep until a time.
local function timer()
  C.prctl(SET_TIMER_SLACK, 1, 0, 0, 0) -- or the kernel would be 50 µs late on purpose
  local wanted = ffi.new("timespec")
  return function(count)
    local late = 0
    for _ = 1, count do
      local at = linux.now() + SLEEP
      wanted.seconds, wanted.nanoseconds = math.floor(at / 1e9), at % 1e9
      C.clock_nanosleep(CLOCK_MONOTONIC, ABSOLUTE, wanted, nil)
      late = late + (linux.now() - at)
    end
    return late
  end
end

return {
  { name = "arithmetic", make = loop(code.ARITHMETIC), least = 1000 },
  { name = "system-call", make = loop(code.SYSTEM_CALLS), least = 10 },
  { name = "timer", make = timer },
}
