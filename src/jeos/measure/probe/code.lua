-- Loops in machine code for x86-64, for what takes fewer nanoseconds than any call out of Lua would add.
--
-- Each is a function of the C calling convention (System V ABI, AMD64 supplement): arguments in rdi and rsi, the result
-- in rax. The bytes are data, so that the same ones run on the host and in the guest; tests/measure/test_code.py runs
-- each and compares what it returns.

local ffi = require "ffi"
local linux = require "linux"

local code = {}

-- uint64_t (uint64_t turns): a chain of multiplications and additions, each of which waits for the one before it.
code.ARITHMETIC = {
  "uint64_t (*)(uint64_t)",
  "48c7c001000000", -- mov  rax, 1
  "4869c06d4ec641", -- turn: imul rax, rax, 0x41c64e6d
  "480539300000", --   add  rax, 0x3039
  "48ffcf", --         dec  rdi
  "75ee", --           jnz  turn
  "c3", --             ret
}

-- uint64_t (uint64_t turns): ask the kernel for the parent's process number, again and again; return the last answer.
code.SYSTEM_CALLS = {
  "uint64_t (*)(uint64_t)",
  "53", --             push rbx
  "4889fb", --         mov  rbx, rdi
  "b86e000000", --     turn: mov eax, 110 (getppid)
  "0f05", --           syscall
  "48ffcb", --         dec  rbx
  "75f4", --           jnz  turn
  "5b", --             pop  rbx
  "c3", --             ret
}

-- void *(void *start, uint64_t turns): follow pointers; return where they led.
code.CHASE = {
  "void *(*)(void *, uint64_t)",
  "488b3f", --         turn: mov rdi, [rdi]
  "48ffce", --         dec  rsi
  "75f8", --           jnz  turn
  "4889f8", --         mov  rax, rdi
  "c3", --             ret
}

-- void *(void *start, uint64_t pages): write one byte into each page of 4 KiB; return where the next one begins.
code.TOUCH = {
  "void *(*)(void *, uint64_t)",
  "c60701", --         turn: mov byte [rdi], 1
  "4881c700100000", -- add  rdi, 0x1000
  "48ffce", --         dec  rsi
  "75f1", --           jnz  turn
  "4889f8", --         mov  rax, rdi
  "c3", --             ret
}

-- The function that a table of this module describes; it stays in memory for good.
function code.make(described)
  local bytes = table.concat(described, "", 2):gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)
  local place = linux.memory(4096)
  ffi.copy(place, bytes, #bytes)
  linux.check(linux.C.mprotect(place, 4096, linux.READ + linux.EXECUTE), "run code that was just written")
  return ffi.cast(described[1], place)
end

return code
