# Write resolv.conf(5) from what systemd-networkd knows: the appliance has no systemd-resolved.
#
#     sh resolver.sh [STATE [FOLDER]]
#
# A shell script, because it runs several times while the network comes up, and starting Python would cost a hundred
# times as much. The state's format is networkd's own; its names have been the same since systemd 217.

set -eu
STATE=${1:-/run/systemd/netif/state}
FOLDER=${2:-/run/jeos}
MOST_SERVERS=3 # what the C library reads, resolv.conf(5)

servers=''
domains=''
if [ -r "$STATE" ]; then
    while IFS='=' read -r key words; do
        case $key in
        DNS) servers=$words ;;
        DOMAINS) domains=$words ;;
        esac
    done <"$STATE"
fi

# A server may carry a port and a name for TLS, which resolv.conf has no words for: 192.0.2.1:53#name, [2001:db8::1]:53
address() {
    plain=${1%%#*}
    case $plain in
    \[*) plain=${plain#\[} && plain=${plain%%\]*} ;;
    *.*:*) plain=${plain%%:*} ;;
    esac
}

new=$FOLDER/.resolv.conf.$$
trap 'rm -f "$new"' EXIT
{
    echo '# Written by jeos from what the network says; changes are lost.'
    count=0
    for server in $servers; do
        [ "$count" -lt "$MOST_SERVERS" ] || break
        count=$((count + 1))
        address "$server"
        echo "nameserver $plain"
    done
    [ -z "$domains" ] || echo "search $domains"
} >"$new"
mv "$new" "$FOLDER/resolv.conf"

# Let the agent show new addresses; opened for reading too, so that nothing waits when the agent is not there.
if [ -p "$FOLDER/changed" ]; then
    exec 3<>"$FOLDER/changed"
    echo >&3
fi
