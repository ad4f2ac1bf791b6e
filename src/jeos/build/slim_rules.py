"""What `slim` leaves out of an image: one rule a kind of thing, each with its reason.

A pattern names a path; all below it goes too. `*` matches anything, slashes included. `spare` are exceptions.
A rule is left alone where `unless` says that the appliance needs what it would take.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from jeos.model.tree import Entry


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules may ask about an appliance.

    `asked` are the names of the packages that the recipe brought in (not the base), `interpreters` the program that
    runs each script ("perl"), by path, and `owner` the package of a path. `relied` are packages that the recipe names
    or that one brought in depends on, `logins` the modules that the login system is told to use ("pam_unix.so"), and
    `linked` returns the names of the libraries that a file is linked to.
    """

    asked: frozenset[str] = frozenset()
    interpreters: Mapping[str, str] = field(default_factory=dict)
    owner: Mapping[str, str] = field(default_factory=dict)
    python_modules: tuple[str, ...] = ()
    custom_code: bool = False  # wheels, files or commands that may use anything
    relied: frozenset[str] = frozenset()
    logins: frozenset[str] = frozenset()
    linked: Callable[[Entry], Iterable[str]] = lambda entry: ()

    def scripts(self, interpreter: str, *, asked: bool) -> list[str]:
        """Return the scripts run by an interpreter that came with packages asked for (or with the others)."""
        return [
            path
            for path, program in self.interpreters.items()
            if program == interpreter and (self.owner.get(path, "") in self.asked or path not in self.owner) == asked
        ]


def never(facts: Facts) -> bool:
    """Spare nothing: the rule applies to every appliance."""
    return False


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of thing that an appliance does without."""

    name: str
    why: str
    patterns: tuple[str, ...] = ()
    spare: tuple[str, ...] = ()
    unless: Callable[[Facts], bool] = never
    more: Callable[[Facts], tuple[str, ...]] | None = None
    exceptions: Callable[[Facts], tuple[str, ...]] | None = None
    idle: bool = False  # takes shared libraries, and of these only what nothing that is left is linked to
    early: bool = False  # no program of the build reads it, so that it need not even be unpacked


def needs_perl(facts: Facts) -> bool:
    """Tell whether something that was asked for runs on Perl."""
    return "perl" in facts.asked or bool(facts.scripts("perl", asked=True))


def perl_scripts(facts: Facts) -> tuple[str, ...]:
    """Return the scripts of the base system that would be left without Perl."""
    return tuple(facts.scripts("perl", asked=False))


def needs_python(facts: Facts) -> bool:
    """Tell whether the appliance wants the whole of Python's standard library."""
    return facts.custom_code or any(
        name in ("python3", "libpython3-stdlib") or name.startswith(("python3-", "libpython3."))
        for name in facts.asked
        if name not in ("python3-minimal",)
    )


def needs_linker_cache(facts: Facts) -> bool:
    """Tell whether something may look for libraries by name: Python's `ctypes.util.find_library` runs ldconfig."""
    return needs_python(facts) or "libc-bin" in facts.relied


def login_modules(facts: Facts) -> tuple[str, ...]:
    """Return the modules of the login system that are in use."""
    return tuple(f"usr/lib/*/security/{name}" for name in facts.logins)


def agent_modules(facts: Facts) -> tuple[str, ...]:
    """Return the parts of Python's standard library that the agent imports."""
    return tuple(f"usr/lib/python3.*/{path}" for path in facts.python_modules)


# Libraries of the base system that programs are linked to and never load by themselves. Not here: what systemd, the C
# library or the login system load when they need it (libgcc_s, libkmod, libzstd, libnss_*, modules of PAM, …).
IDLE_LIBRARIES = (
    *("libbz2", "libc_malloc_debug", "libdb-5.*", "libexpatw", "libffi", "libformw", "libgmp", "libhistory"),
    *("liblastlog2", "liblzma", "libmd", "libmemusage", "libmenuw", "libmvec", "libncursesw", "libnsl", "libpamc"),
    *("libpanelw", "libpcprofile", "libpsx", "libreadline", "libsqlite3", "libss", "libssl", "libthread_db", "libtic"),
)

# The last rule goes by what the others leave.
RULES: tuple[Rule, ...] = (
    Rule(
        name="documentation",
        why="read on a workstation, not in an appliance; copyright files stay",
        patterns=("usr/share/doc", "usr/share/doc-base", "usr/share/info", "usr/share/help", "usr/share/gtk-doc"),
        spare=("usr/share/doc/*/copyright",),
        early=True,
    ),
    Rule(
        name="manuals",
        why="manual pages",
        patterns=("usr/share/man", "usr/local/man", "usr/local/share/man"),
        early=True,
    ),
    Rule(
        name="locales",
        why="messages in other languages; the system speaks C.UTF-8",
        patterns=("usr/share/locale", "usr/share/i18n", "usr/lib/locale"),
        spare=("usr/lib/locale/C.utf8", "usr/share/locale/locale.alias"),
        early=True,
    ),
    Rule(
        name="gconv",
        why="character sets of old; UTF-8 is in the C library itself",
        patterns=("usr/lib/*/gconv", "usr/lib/gconv", "usr/bin/iconv", "usr/sbin/iconvconfig"),
    ),
    Rule(
        name="hardware-database",
        why="names of hardware that no virtual machine has",
        patterns=("usr/lib/udev/hwdb.bin", "usr/lib/udev/hwdb.d", "etc/udev/hwdb.bin", "usr/share/misc/*.ids"),
    ),
    Rule(
        name="caches",
        why="made again when wanted",
        patterns=(
            "var/cache/*",
            "var/lib/apt",
            "var/lib/systemd/catalog",
            "var/log/*.log",
            "var/log/apt",
            "var/log/alternatives.log",
            "usr/lib/systemd/catalog",
            "var/cache/ldconfig/aux-cache",
        ),
        spare=("var/cache/nginx", "var/cache/apache2"),
    ),
    Rule(
        name="packages",
        why="the image is replaced as a whole; nothing is installed into it",
        patterns=(
            "etc/apt",
            "etc/dpkg",
            "etc/debconf.conf",
            "etc/cron.daily/apt-compat",
            "etc/cron.daily/dpkg",
            "etc/kernel",
            "etc/alternatives/README",
            "usr/bin/apt*",
            "usr/bin/deb-systemd-*",
            "usr/bin/debconf*",
            "usr/bin/dpkg*",
            "usr/bin/update-alternatives",
            "usr/lib/apt",
            "usr/lib/dpkg",
            "usr/lib/systemd/system/apt-*",
            "usr/lib/systemd/system/dpkg-*",
            "usr/lib/systemd/system/*.wants/apt-*",
            "usr/lib/systemd/system/*.wants/dpkg-*",
            "etc/systemd/system/*.wants/apt-*",
            "etc/systemd/system/*.wants/dpkg-*",
            "usr/lib/*/libapt-*",
            "usr/sbin/dpkg-*",
            "usr/sbin/start-stop-daemon-real",
            "usr/share/debconf",
            "usr/share/debianutils",
            "usr/share/dpkg",
            "usr/share/keyrings",
            "var/lib/dpkg",
            "var/lib/ucf",
            "var/backups",
        ),
        spare=("var/lib/dpkg/status.d",),
        unless=lambda facts: bool(facts.asked & {"apt", "dpkg"}),
    ),
    Rule(
        name="perl",
        why="only maintainer scripts of the base system run on it",
        patterns=(
            "usr/bin/perl*",
            "usr/lib/*/perl*",
            "usr/share/perl*",
            "etc/perl",
            "usr/lib/*/libperl.so*",
            "etc/adduser.conf",
            "etc/deluser.conf",
        ),
        unless=needs_perl,
        more=perl_scripts,
    ),
    Rule(
        name="python",
        why="of the standard library, the agent needs these parts alone",
        patterns=(
            "usr/lib/python3.*/*",
            "usr/share/python3",
            "usr/share/binfmts/python*",
            "usr/bin/py3*",
            "usr/bin/pydoc3*",
            "usr/bin/pygettext3*",
            "usr/share/lintian",
        ),
        unless=needs_python,
        exceptions=agent_modules,
    ),
    Rule(
        name="python-rest",
        why="tests, tools for developers and files that Python makes itself",
        patterns=(
            "usr/lib/python3.*/test",
            "usr/lib/python3.*/*/test",
            "usr/lib/python3.*/*/tests",
            "usr/lib/python3.*/idlelib",
            "usr/lib/python3.*/turtle*",
            "usr/lib/python3.*/pydoc*",
            "usr/lib/python3.*/lib2to3",
            "usr/lib/python3.*/ensurepip",
            "usr/lib/python3.*/config-*",
        ),
    ),
    Rule(
        name="terminals",
        why="terminals that nobody connects with",
        patterns=("usr/lib/terminfo/*/*", "usr/share/terminfo", "usr/share/tabset", "etc/terminfo/README"),
        spare=tuple(
            f"usr/lib/terminfo/*/{name}"
            for name in ("ansi", "dumb", "linux", "screen*", "tmux*", "vt100", "vt102", "vt220", "xterm*")
        ),
    ),
    Rule(
        name="development",
        why="headers and static libraries",
        patterns=(
            "usr/include",
            "usr/lib/*.a",
            "usr/lib/*.la",
            "usr/lib/*/pkgconfig",
            "usr/lib/pkgconfig",
            "usr/share/pkgconfig",
            "usr/lib/*/cmake",
            "usr/share/aclocal",
            "usr/share/cmake",
            "usr/lib/debug",
        ),
    ),
    Rule(
        name="desktop",
        why="completion, menus and icons for people at a prompt or a desktop",
        patterns=(
            "etc/bash_completion.d",
            "usr/share/applications",
            "usr/share/bash-completion",
            "usr/share/fish",
            "usr/share/icons",
            "usr/share/menu",
            "usr/share/pixmaps",
            "usr/share/zsh",
            "usr/share/lintian",
            "usr/share/bug",
            "usr/share/common-licenses/GFDL*",
            "usr/share/polkit-1",
            "usr/share/gdb",
            "usr/share/apport",
        ),
    ),
    Rule(
        name="sysv",
        why="systemd runs native units; init scripts beside them are never used",
        patterns=("etc/rc?.d", "etc/init.d", "etc/rcS.d", "usr/sbin/update-rc.d", "usr/sbin/invoke-rc.d"),
        spare=(),
    ),
    Rule(
        name="boot",
        why="the kernel is in the EFI partition, in the unified kernel image",
        patterns=("boot/*", "usr/lib/systemd/boot", "vmlinuz*", "initrd.img*"),
    ),
    Rule(
        name="systemd-extras",
        why="parts of systemd for machines that install, dual-boot or build themselves",
        patterns=(
            "usr/bin/bootctl",
            "usr/bin/kernel-install",
            "usr/bin/systemd-cryptenroll",
            "usr/bin/systemd-firstboot",
            "usr/bin/systemd-vmspawn",
            "usr/bin/systemd-nspawn",
            "usr/lib/kernel",
            "usr/lib/systemd/system-generators/systemd-debug-generator",
            "usr/lib/systemd/system-generators/systemd-getty-generator",
            "usr/lib/systemd/system-generators/systemd-gpt-auto-generator",
            "usr/lib/systemd/system-generators/systemd-hibernate-resume-generator",
            "usr/lib/systemd/system-generators/systemd-rc-local-generator",
            "usr/lib/systemd/system-generators/systemd-run-generator",
            "usr/lib/systemd/system-generators/systemd-ssh-generator",
            "usr/lib/systemd/system-generators/systemd-system-update-generator",
            "usr/lib/systemd/system-generators/systemd-sysv-generator",
            "usr/lib/systemd/system-generators/systemd-tpm2-generator",
            "usr/lib/systemd/system/systemd-hibernate*",
            "usr/lib/systemd/ukify",
            "usr/bin/ukify",
            "usr/lib/systemd/repart",
            "usr/share/systemd/language-fallback-map",
            "usr/share/systemd/kbd-model-map",
            "usr/lib/systemd/systemd-bootchart",
        ),
    ),
    Rule(
        name="file-systems",
        why="tools that make and mend ext2 to ext4; the data partition comes ready made and grows in the kernel",
        patterns=(
            "usr/sbin/badblocks",
            "usr/sbin/debugfs",
            "usr/sbin/dumpe2fs",
            "usr/sbin/e2freefrag",
            "usr/sbin/e2image",
            "usr/sbin/e2mmpstatus",
            "usr/sbin/e2scrub*",
            "usr/sbin/e2undo",
            "usr/sbin/e4crypt",
            "usr/sbin/e4defrag",
            "usr/sbin/filefrag",
            "usr/sbin/logsave",
            "usr/sbin/mke2fs",
            "usr/sbin/mkfs.ext*",
            "usr/sbin/mklost+found",
            "usr/lib/systemd/system/e2scrub*",
            "usr/lib/systemd/system/*.wants/e2scrub*",
            "etc/systemd/system/*.wants/e2scrub*",
            "etc/e2scrub.conf",
            "etc/cron.d/e2scrub_all",
            "usr/lib/*/e2fsprogs",
            "usr/lib/*/e2initrd_helper",
            "usr/sbin/mkfs.*",
            "usr/sbin/fsck.cramfs",
            "usr/sbin/fsck.minix",
        ),
        unless=lambda facts: "e2fsprogs" in facts.asked,
    ),
    Rule(
        name="c-library",
        why="tools that compile locales and time zones; both come ready made",
        patterns=("usr/bin/localedef", "usr/bin/pldd", "usr/bin/tzselect", "usr/bin/zdump", "usr/sbin/zic"),
        unless=lambda facts: "libc-bin" in facts.relied,
    ),
    Rule(
        name="linker-cache",
        why="lists libraries after an installation; the list is in the image, which is never installed into",
        patterns=("usr/sbin/ldconfig*",),
        unless=needs_linker_cache,
    ),
    Rule(
        name="login-databases",
        why="users and logins kept in Berkeley DB or SQLite, which no login here is set up for",
        patterns=("usr/lib/*/security/pam_userdb.so", "usr/lib/*/security/pam_lastlog2.so", "usr/bin/lslogins"),
        exceptions=login_modules,
    ),
    Rule(
        name="libraries",
        why="libraries that came along and that no program is linked to",
        patterns=tuple(f"usr/lib/*/{name}.so*" for name in IDLE_LIBRARIES),
        idle=True,
    ),
)
