-- Linux system calls as Lua functions; each raises an error that says what it could not do and why.

local ffi = require "ffi"

ffi.cdef [[
  int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
  int open(const char *path, int flags, ...);
  int close(int fd);
  long pwrite(int fd, const void *data, size_t size, int64_t offset);
  int fsync(int fd);
  int ioctl(int fd, unsigned long request, ...);
  int mkdir(const char *path, unsigned int mode);
  int chdir(const char *path);
  int chroot(const char *path);
  int execve(const char *path, const char *const argv[], const char *const envp[]);
  int reboot(int command);
  int poll(void *fds, unsigned long count, int milliseconds);
  long syscall(long number, ...);
  char *strerror(int number);
  void *opendir(const char *path);
  int closedir(void *folder);
  struct dirent { uint64_t inode; int64_t offset; uint16_t length; uint8_t type; char name[256]; };
  struct dirent *readdir(void *folder);
]]

local C = ffi.C
local linux = {}

-- The values of the kernel's headers (linux/mount.h, fcntl.h, linux/reboot.h, asm/unistd.h).
linux.READ_ONLY, linux.NO_SUID, linux.NO_DEVICES, linux.NO_PROGRAMS, linux.MOVE = 1, 2, 4, 8, 8192
local READ_WRITE, CLOSE_ON_EXEC = 2, 0x80000
local EEXIST = 17
local AUTOBOOT = 0x01234567
local FINIT_MODULE = ({ x64 = 313, arm64 = 273 })[ffi.arch]

local function check(result, what)
  if tonumber(result) < 0 then
    error(what .. ": " .. ffi.string(C.strerror(ffi.errno())), 0)
  end
  return result
end

function linux.mount(source, target, kind, flags, options)
  check(C.mount(source, target, kind, flags or 0, options), "cannot mount " .. source .. " on " .. target)
end

function linux.make_folders(path)
  for position in (path .. "/"):gmatch("()/") do
    local folder = path:sub(1, position - 1)
    if folder ~= "" and C.mkdir(folder, 493) < 0 and ffi.errno() ~= EEXIST then -- 493 is 0755
      check(-1, "cannot make the folder " .. folder)
    end
  end
end

-- Make `path` the root of this process, with the mounts below it; what was the root is out of reach then.
function linux.switch_root(path)
  check(C.chdir(path), "cannot enter " .. path)
  linux.mount(".", "/", nil, linux.MOVE)
  check(C.chroot("."), "cannot make " .. path .. " the root")
  check(C.chdir("/"), "cannot enter the new root")
end

-- Process 1 looks for libraries where the build hides from it what it need not load (jeos/build/system.py); what it
-- starts has an environment of its own.
function linux.execute(path)
  local arguments, environment = ffi.new("const char *[2]"), ffi.new("const char *[3]") -- each ends in a null
  arguments[0], environment[0], environment[1] = path, "TERM=linux", "LD_LIBRARY_PATH=/usr/lib/jeos/hidden"
  check(C.execve(path, arguments, environment), "cannot start " .. path)
end

function linux.reboot()
  C.reboot(AUTOBOOT)
end

function linux.sleep(seconds)
  C.poll(nil, 0, seconds * 1000)
end

-- Seconds since the kernel started.
function linux.uptime()
  return tonumber(linux.read("/proc/uptime"):match("%S+"))
end

-- The content of a file without spaces at its end, or nil if it cannot be read.
function linux.read(path)
  local file = io.open(path, "rb")
  local text = file and file:read("*a")
  if file then file:close() end
  return text and text:gsub("%s+$", "")
end

function linux.exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

-- The names in a folder, sorted; none if there is no such folder.
function linux.list(path)
  local names, folder = {}, C.opendir(path)
  if folder == nil then return names end
  local entry = C.readdir(folder)
  while entry ~= nil do
    local name = ffi.string(entry.name)
    if name ~= "." and name ~= ".." then names[#names + 1] = name end
    entry = C.readdir(folder)
  end
  C.closedir(folder)
  table.sort(names)
  return names
end

-- Call `action` with an open file descriptor of `path`; `flags` are open's.
function linux.with(path, action, flags)
  local fd = check(C.open(path, CLOSE_ON_EXEC + (flags or 0)), "cannot open " .. path)
  local done, message = pcall(action, fd)
  C.close(fd)
  if not done then error(message, 0) end
end

-- Write bytes into a file or device, and wait until they are on the disk.
function linux.write(path, offset, bytes)
  linux.with(path, function(fd)
    if check(C.pwrite(fd, bytes, #bytes, offset), "cannot write to " .. path) ~= #bytes then
      error("cannot write all to " .. path, 0)
    end
    check(C.fsync(fd), "cannot write to " .. path)
  end, READ_WRITE)
end

function linux.control(fd, request, argument, what)
  check(C.ioctl(fd, request, argument), what)
end

function linux.load_module(path)
  local fd = check(C.open(path, CLOSE_ON_EXEC), "cannot open " .. path)
  local result = C.syscall(FINIT_MODULE, ffi.cast("int", fd), "", ffi.cast("int", 0))
  local loaded = result == 0 or ffi.errno() == EEXIST
  local reason = ffi.errno()
  C.close(fd)
  if not loaded then error("cannot load " .. path .. ": " .. ffi.string(C.strerror(reason)), 0) end
end

return linux
