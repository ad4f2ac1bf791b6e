-- What goes through page tables: faults, protection, and reads that need an address translated.

local ffi = require "ffi"
local code = require "code"
local linux = require "linux"

local C = linux.C
local PAGE, LARGE = 4096, 2 * 1024 * 1024
local REGION, NEW = 256, 64 -- pages that are touched in one go; new ones, which stay in use
local CHAIN = 32 * 1024 * 1024 -- bytes: 8,192 pages of 4 KiB, of which TLBs hold 1,500 to 3,000; their lines fit into caches
local LINE = 64 -- bytes of a cache line

-- Faults on memory that was never used since this system started, so that what is below it has none for it yet either.
local function first_faults()
  local touch = code.make(code.TOUCH)
  return function(count)
    local place = linux.memory(count * PAGE) -- never given back
    C.madvise(place, count * PAGE, linux.NO_HUGE)
    local began = linux.now()
    touch(place, count)
    return linux.now() - began
  end
end

-- Faults on pages that were given back a moment ago.
local function faults()
  local touch = code.make(code.TOUCH)
  local place, release = linux.memory(REGION * PAGE)
  C.madvise(place, REGION * PAGE, linux.NO_HUGE)
  return function(count)
    local took, left = 0, count
    while left > 0 do
      local pages = math.min(left, REGION)
      local began = linux.now()
      touch(place, pages)
      took = took + (linux.now() - began)
      C.madvise(place, REGION * PAGE, linux.DONT_NEED)
      left = left - pages
    end
    return took
  end, release
end

-- Take the right to write to a page, give it back, and write.
local function protect()
  local place, release = linux.memory(PAGE)
  place[0] = 1
  return function(count)
    local began = linux.now()
    for turn = 1, count do
      C.mprotect(place, PAGE, linux.READ)
      C.mprotect(place, PAGE, linux.READ + linux.WRITE)
      place[0] = turn % 128
    end
    return linux.now() - began
  end, release
end

-- Fill memory with a chain of pointers, one to a page, that visits all pages in an order that nothing foresees
-- (Sattolo's algorithm makes one circle). Pages 32 apart, which a cache of 2,048 sets would keep in the same places, use
-- different lines, so that all of them fit. The numbers are those of a linear congruential generator, the same at each run.
local function make_chain(place, pages)
  local order = ffi.new("uint32_t[?]", pages)
  for index = 0, pages - 1 do order[index] = index end
  local random = 12345
  for index = pages - 1, 1, -1 do
    random = (random * 1103515245 + 12345) % 2147483648
    local other = math.floor(random / 65536 * index / 32768)
    order[index], order[other] = order[other], order[index]
  end
  local function spot(page) return place + page * PAGE + (math.floor(page / 32) % (PAGE / LINE)) * LINE end
  for page = 0, pages - 1 do
    ffi.cast("void **", spot(page))[0] = spot(order[page])
  end
  return spot(0)
end

-- The KiB of huge pages in the mapping around an address. Source: Linux, Documentation/filesystems/proc.rst, "smaps".
local function huge_kib(address)
  local inside, wanted = false, tonumber(ffi.cast("uintptr_t", address))
  for line in io.lines("/proc/self/smaps") do
    local first, last = line:match("^(%x+)%-(%x+) ")
    if first then inside = tonumber(first, 16) <= wanted and wanted < tonumber(last, 16) end
    local kib = inside and line:match("^AnonHugePages:%s+(%d+)")
    if kib then return tonumber(kib) end
  end
  return 0
end

local function chase(advice)
  return function()
    local place, release = linux.memory(CHAIN, LARGE)
    C.madvise(place, CHAIN, advice)
    if advice == linux.HUGE then
      place[0] = 1
      if huge_kib(place) < LARGE / 1024 then
        release()
        local said = linux.content("/sys/kernel/mm/transparent_hugepage/enabled")
        error("the kernel gives no pages of 2 MiB (transparent_hugepage: " .. (said or "not there") .. ")", 0)
      end
    end
    local follow = code.make(code.CHASE)
    local at = follow(make_chain(place, CHAIN / PAGE), 2 * CHAIN / PAGE) -- so that what fits into caches is in them
    return function(count)
      local began = linux.now()
      at = follow(at, count)
      return linux.now() - began
    end, release
  end
end

return {
  { name = "first-fault", make = first_faults, fixed = NEW },
  { name = "page-fault", make = faults, least = REGION },
  { name = "mprotect", make = protect },
  { name = "memory-4k", make = chase(linux.NO_HUGE), least = CHAIN / PAGE },
  { name = "memory-2m", make = chase(linux.HUGE), least = CHAIN / PAGE },
}
