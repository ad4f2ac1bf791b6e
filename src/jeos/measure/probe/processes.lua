-- What a kernel does between processes: fork and exit, and switching from one to the other and back.

local bit = require "bit"
local ffi = require "ffi"
local linux = require "linux"

local C = linux.C
local SET = 128 -- bytes of a set of 1,024 processors

local function fork()
  local status = ffi.new("int[1]")
  return function(count)
    local began = linux.now()
    for _ = 1, count do
      local child = C.fork()
      if child == 0 then C._exit(0) end
      linux.check(child, "fork")
      C.waitpid(child, status, 0)
    end
    return linux.now() - began
  end
end

local function pipe()
  local ends = ffi.new("int[2]")
  linux.check(C.pipe(ends), "make a pipe")
  return ends[0], ends[1]
end

-- Two processes on one processor that wake each other through pipes; an operation is one switch.
local function switch()
  local before, one = ffi.new("uint8_t[?]", SET), ffi.new("uint8_t[?]", SET)
  linux.check(C.sched_getaffinity(0, SET, before), "ask for processors")
  local here = C.sched_getcpu()
  one[math.floor(here / 8)] = bit.lshift(1, here % 8)
  linux.check(C.sched_setaffinity(0, SET, one), "stay on one processor")
  local there_reads, to_there = pipe()
  local here_reads, to_here = pipe()
  local byte = ffi.new("uint8_t[1]")
  local child = linux.check(C.fork(), "fork")
  if child == 0 then
    C.close(to_there)
    while C.read(there_reads, byte, 1) == 1 do C.write(to_here, byte, 1) end
    C._exit(0)
  end
  C.close(there_reads)
  C.close(to_here)
  local function run(count)
    local began = linux.now()
    for _ = 1, count / 2 do
      C.write(to_there, byte, 1)
      C.read(here_reads, byte, 1)
    end
    return linux.now() - began
  end
  return run, function()
    C.close(to_there)
    C.waitpid(child, nil, 0)
    C.close(here_reads)
    C.sched_setaffinity(0, SET, before)
  end
end

-- Code that a trace compiler rearranged is nothing to fork in the middle of.
for _, make in ipairs { fork, switch } do require("jit").off(make, true) end

return {
  { name = "fork", make = fork },
  { name = "switch", make = switch, least = 2 },
}
