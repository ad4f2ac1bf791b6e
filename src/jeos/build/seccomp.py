"""The system call filter of the sandbox, as a program for the kernel's packet filter machine (classic BPF).

What a maintainer script has no business with fails with EPERM: mounts, namespaces, kernel modules, other processes'
memory, keys, the clock. Calls that flush to disk succeed at once: a build that is cut short is thrown away whole.

Sources: linux/filter.h and linux/seccomp.h; system call numbers from arch/x86/entry/syscalls/syscall_64.tbl.
"""

import errno
import struct

AUDIT_ARCH_X86_64 = 0xC000003E  # linux/audit.h
X32_BIT = 0x40000000  # calls of the x32 ABI carry it

ALLOW = 0x7FFF0000
ERRNO = 0x00050000

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K

# Offsets in struct seccomp_data (linux/seccomp.h).
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24

CLONE = 56
IOCTL = 16
NAMESPACE_FLAGS = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
TERMINAL_INJECTION = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX put words into a terminal's mouth

FLUSHING = {"fsync": 74, "fdatasync": 75, "sync": 162, "sync_file_range": 277, "syncfs": 306}

# Programs take "no such call" as an old kernel and use what they used before; clone3's flags lie where a filter
# cannot see them, and io_uring would flush and open behind the filter's back.
MISSING = {"clone3": 435, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}

DENIED = {
    "acct": 163,
    "add_key": 248,
    "adjtimex": 159,
    "bpf": 321,
    "clock_adjtime": 305,
    "clock_settime": 227,
    "create_module": 174,
    "delete_module": 176,
    "fanotify_init": 300,
    "finit_module": 313,
    "fsconfig": 431,
    "fsmount": 432,
    "fsopen": 430,
    "fspick": 433,
    "init_module": 175,
    "ioperm": 173,
    "iopl": 172,
    "kcmp": 312,
    "kexec_file_load": 320,
    "kexec_load": 246,
    "keyctl": 250,
    "lookup_dcookie": 212,
    "migrate_pages": 256,
    "mount": 165,
    "mount_setattr": 442,
    "move_mount": 429,
    "move_pages": 279,
    "open_by_handle_at": 304,
    "open_tree": 428,
    "perf_event_open": 298,
    "pidfd_getfd": 438,
    "pivot_root": 155,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "ptrace": 101,
    "quotactl": 179,
    "quotactl_fd": 443,
    "reboot": 169,
    "request_key": 249,
    "setdomainname": 171,
    "sethostname": 170,
    "setns": 308,
    "settimeofday": 164,
    "swapoff": 168,
    "swapon": 167,
    "syslog": 103,
    "umount2": 166,
    "unshare": 272,
    "userfaultfd": 323,
    "vhangup": 153,
}


def _instruction(code: int, value: int, *, if_true: int = 0, if_false: int = 0) -> bytes:
    """Return one struct sock_filter; jumps are counted from the next instruction."""
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _answer(value: int) -> bytes:
    return _instruction(_RETURN, value)


def _for_number(number: int, body: list[bytes]) -> list[bytes]:
    """Return `body`, run only for one system call; it must end with an answer."""
    return [_instruction(_EQUAL, number, if_false=len(body)), *body]


def program() -> bytes:
    """Return the filter, for `seccomp(SECCOMP_SET_MODE_FILTER)`: instructions of 8 bytes."""
    deny, missing, pretend = (_answer(ERRNO | number) for number in (errno.EPERM, errno.ENOSYS, 0))
    allow = _answer(ALLOW)
    parts = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, AUDIT_ARCH_X86_64, if_true=1),
        missing,  # 32-bit programs would bring other numbers for the same calls
        _instruction(_LOAD, _NUMBER),
        _instruction(_AT_LEAST, X32_BIT, if_false=1),
        missing,
    ]
    flags = [_instruction(_LOAD, _FIRST), _instruction(_ANY_BIT, NAMESPACE_FLAGS, if_false=1), deny, allow]
    parts += _for_number(CLONE, flags)
    requests = [_instruction(_LOAD, _SECOND)]
    for request in TERMINAL_INJECTION:
        requests += [_instruction(_EQUAL, request, if_false=1), deny]
    parts += _for_number(IOCTL, [*requests, allow])
    for calls, answer in ((FLUSHING, pretend), (MISSING, missing), (DENIED, deny)):
        for number in calls.values():
            parts += _for_number(number, [answer])
    parts.append(allow)
    return b"".join(parts)
