-- The system calls that the measurements are made of, as functions that raise an error which says what failed and why.
--
-- Numbers and structures are those of the kernel's headers on x86-64.

local ffi = require "ffi"

ffi.cdef [[
  typedef struct { long seconds, nanoseconds; } timespec;
  int open(const char *path, int flags, ...);
  int close(int fd);
  long read(int fd, void *data, size_t size);
  long write(int fd, const void *data, size_t size);
  long pread(int fd, void *data, size_t size, int64_t offset);
  long pwrite(int fd, const void *data, size_t size, int64_t offset);
  int fdatasync(int fd);
  int pipe(int *ends);
  int ioctl(int fd, unsigned long request, ...);
  int mkdir(const char *path, unsigned int mode);
  int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
  void *mmap(void *address, size_t size, int protection, int flags, int fd, int64_t offset);
  int munmap(void *address, size_t size);
  int mprotect(void *address, size_t size, int protection);
  int madvise(void *address, size_t size, int advice);
  int fork(void);
  int waitpid(int process, int *status, int options);
  void _exit(int status);
  int getrusage(int who, long *usage);
  int clock_gettime(int clock, timespec *now);
  int clock_nanosleep(int clock, int flags, const timespec *wanted, timespec *left);
  int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
  int sched_getcpu(void);
  int sched_getaffinity(int process, size_t size, void *set);
  int sched_setaffinity(int process, size_t size, const void *set);
  int socket(int family, int kind, int protocol);
  int connect(int fd, const void *address, unsigned int size);
  int setsockopt(int fd, int level, int name, const void *value, unsigned int size);
  int poll(void *fds, unsigned long count, int milliseconds);
  long syscall(long number, ...);
  char *strerror(int number);
]]

local C = ffi.C
local linux = { C = C }

linux.READ, linux.WRITE, linux.EXECUTE = 1, 2, 4 -- mmap's protections
linux.HUGE, linux.NO_HUGE, linux.DONT_NEED = 14, 15, 4 -- madvise's advice
linux.READ_ONLY, linux.READ_WRITE, linux.DIRECT = 0, 2, 0x4000 -- open's flags; x86-64's O_DIRECT
local PRIVATE_ANONYMOUS = 0x22
local CLOSE_ON_EXEC = 0x80000
local FAILED = ffi.cast("void *", -1)
local CLOCK_MONOTONIC = 1
local MINOR_FAULTS = 8 -- index in struct rusage, as longs
local PERF_EVENT_OPEN, FINIT_MODULE = 298, 313
local EEXIST = 17

function linux.why()
  return ffi.string(C.strerror(ffi.errno()))
end

function linux.check(result, what)
  if tonumber(result) < 0 then error("cannot " .. what .. ": " .. linux.why(), 0) end
  return result
end

local now = ffi.new("timespec")

-- Nanoseconds on a clock that only goes forward.
function linux.now()
  C.clock_gettime(CLOCK_MONOTONIC, now)
  return tonumber(now.seconds) * 1e9 + tonumber(now.nanoseconds)
end

-- Bytes of memory that nobody has touched, at an address that is a multiple of `alignment`.
function linux.memory(size, alignment)
  alignment = alignment or 4096
  local place = C.mmap(nil, size + alignment, linux.READ + linux.WRITE, PRIVATE_ANONYMOUS, -1, 0)
  if place == FAILED then error("cannot get " .. size .. " bytes of memory: " .. linux.why(), 0) end
  local address = ffi.cast("uint64_t", ffi.cast("uintptr_t", place))
  local start = (address + alignment - 1) / alignment * alignment
  local function release() C.munmap(place, size + alignment) end
  return ffi.cast("uint8_t *", ffi.cast("uintptr_t", start)), release
end

function linux.open(path, flags)
  return linux.check(C.open(path, ffi.cast("int", flags + CLOSE_ON_EXEC)), "open " .. path)
end

-- The content of a file without spaces at its end, or nil if it cannot be read.
function linux.content(path)
  local file = io.open(path, "rb")
  local text = file and file:read("*a")
  if file then file:close() end
  return text and (text:gsub("%s+$", ""))
end

-- Write to a file of the kernel's, if there is one.
function linux.put(path, text)
  local file = io.open(path, "w")
  if file then
    file:write(text)
    file:close()
  end
end

-- Page faults of this process that needed no disk.
local usage = ffi.new("long[18]")
function linux.faults()
  C.getrusage(0, usage)
  return tonumber(usage[MINOR_FAULTS])
end

-- Nanoseconds that this process was ready to run and did not, because the processor was somebody else's; or nil.
-- Source: Linux, Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat.
function linux.waited()
  local text = linux.content("/proc/self/schedstat")
  return text and tonumber(text:match("^%d+ (%d+)"))
end

-- A counter of misses in the data TLB by this process in user mode, or nil and why there is none.
-- Source: Linux, include/uapi/linux/perf_event.h, `struct perf_event_attr` in its first size.
function linux.tlb_counter()
  local attributes = ffi.new("uint64_t[8]")
  attributes[0] = 0x4000000003ULL -- PERF_TYPE_HW_CACHE, and above it the structure's size, 64
  attributes[1] = 3 + 0x10000 -- the data TLB, reads, misses
  attributes[5] = 0x60 -- neither the kernel nor a hypervisor
  local zero, minus = ffi.cast("int", 0), ffi.cast("int", -1)
  local fd = C.syscall(PERF_EVENT_OPEN, attributes, zero, minus, minus, ffi.cast("unsigned long", 8))
  if fd < 0 then return nil, linux.why() end
  local value = ffi.new("uint64_t[1]")
  return function()
    return C.read(tonumber(fd), value, 8) == 8 and tonumber(value[0]) or nil
  end
end

function linux.mount(source, target, kind)
  C.mkdir(target, 493) -- 0755; it may be there
  linux.check(C.mount(source, target, kind, 0, nil), "mount " .. target)
end

function linux.load_module(path)
  local fd = linux.open(path, linux.READ_ONLY)
  local result = C.syscall(FINIT_MODULE, ffi.cast("int", fd), "", ffi.cast("int", 0))
  local reason = ffi.errno()
  C.close(fd)
  if result ~= 0 and reason ~= EEXIST then error("cannot load " .. path .. ": " .. ffi.string(C.strerror(reason)), 0) end
end

return linux
