#!/usr/bin/env bash
# Question:  the address of a bus has another guid than the bus says in its handshake, as after the server was replaced by another one at
#            the same path. Do clients notice?
# Expected:  the three large ones do: that is what the guid in an address is for.
# Found:     libdbus (dbus-send) and sd-bus (busctl) hang up; GLib (gdbus) does not compare, and talks to whoever is there. Neither do
#            godbus, jeepney and dbus-next, which one would rather have guessed.
# Version:   libglib2.0-bin 2.74.6-2+deb12u9, dbus-bin 1.14.10-1~deb12u1, systemd 252.39-1~deb12u2.
# Source:    GLib, gio/gdbusconnection.c, initable_init (it takes the guid of the handshake); dbus, dbus-transport.c, expected_guid;
#            systemd, src/libsystemd/sd-bus/bus-socket.c.
# For you:   an address with a guid does not tie a client to one instance of a server. Whom one talks to say Credentials.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

debian dbus-bin=1.14.10-1~deb12u1 libdbus-1-3=1.14.10-1~deb12u1 dbus-daemon=1.14.10-1~deb12u1 systemd=252.39-1~deb12u2 \
	libsystemd-shared=252.39-1~deb12u2 libglib2.0-bin=2.74.6-2+deb12u9 libglib2.0-0=2.74.6-2+deb12u9
cat >bus.conf <<XML
<busconfig>
  <listen>unix:path=$folder/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
XML
start dbus-daemon --nofork --print-address --config-file=bus.conf >address 2>/dev/null
there bus
for ((i = 0; i < 100; i++)); do
	[[ ! -s address ]] || break
	sleep 0.05
done
reached() {
	unpacked "$@" >/dev/null 2>&1 && echo reached || echo refused
}
each() {
	DBUS_SESSION_BUS_ADDRESS=$1 reached dbus-send --session --print-reply --reply-timeout=5000 --dest=org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus.GetId
	reached busctl --timeout=5 --address="$1" call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus GetId
	reached gdbus call --timeout 5 --address "$1" --dest org.freedesktop.DBus --object-path /org/freedesktop/DBus --method org.freedesktop.DBus.GetId
}
echo "each: dbus-send, busctl, gdbus"
found "the bus's own guid" "reached reached reached" "$(each "$(cat address)" | paste -sd ' ')"
found "another guid" "refused refused reached" "$(each "unix:path=$folder/bus,guid=0123456789abcdef0123456789abcdef" | paste -sd ' ')"
verdict
