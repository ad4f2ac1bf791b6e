# Take out of a configured system what belongs to one machine or one build: the rest is the same each time.

# Identity: made anew by each machine at its first boot. An empty machine-id is filled in; none would count as first boot.
rm -f /etc/ssh/ssh_host_* /var/lib/systemd/random-seed /var/lib/systemd/credential.secret /var/lib/dbus/machine-id
rm -f /etc/ssl/private/ssl-cert-snakeoil.key
if [ -e /etc/ssl/certs/ssl-cert-snakeoil.pem ]; then
    find /etc/ssl/certs -type l -lname ssl-cert-snakeoil.pem -delete
    rm -f /etc/ssl/certs/ssl-cert-snakeoil.pem
fi
rm -f /etc/machine-id
: > /etc/machine-id
chmod 0444 /etc/machine-id

# Backups that the tools for accounts leave, and their lock.
rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid- /etc/.pwd.lock

# Caches; the linker's holds the numbers of inodes.
rm -rf /var/cache/ldconfig /var/cache/debconf/*-old /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/lib/apt/lists
rm -rf /var/cache/man

# A list of modules that lists none, for which each boot would start a program.
if [ -L /etc/modules-load.d/modules.conf ] && ! grep -qsv -e '^ *#' -e '^ *$' /etc/modules; then
    rm -f /etc/modules-load.d/modules.conf
fi

# Notes that Debian's helpers keep on enabled units, for upgrades that never come.
rm -rf /var/lib/systemd/deb-systemd-helper-enabled /var/lib/systemd/deb-systemd-helper-masked
rm -rf /var/lib/systemd/deb-systemd-user-helper-enabled /var/lib/systemd/deb-systemd-user-helper-masked

# Logs of the build, and what it left behind; folders stay, because services want theirs.
find /var/log -xdev -type f -delete
find /tmp /var/tmp /run -xdev -mindepth 1 -delete 2>/dev/null || :
rm -f "$HOME/.bash_history" "$HOME/.python_history" "$HOME/.wget-hsts"
