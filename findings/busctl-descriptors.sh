#!/usr/bin/env bash
# Question:  a method takes a descriptor (signature "h"). Can busctl call it?
# Expected:  yes: busctl takes all other types, and "h 0" would pass its standard input, as "0" does with gdbus.
# Found:     no: "UNIX file descriptor not supported as type."
# Version:   systemd 252.39-1~deb12u2.
# Source:    systemd, src/busctl/busctl.c, message_append_cmdline; busctl(1), "Parameter Formatting", does not exclude it.
# For you:   to try a service that takes descriptors, use gdbus call, which passes its own descriptor of the number that is given.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

debian systemd=252.39-1~deb12u2 libsystemd-shared=252.39-1~deb12u2
# The message is made before a bus has said anything, so a bus that says nothing will do.
timeout 20 python3 -c '
import socket, time
bus = socket.socket(socket.AF_UNIX)
bus.bind("bus")
bus.listen(1)
conn, _ = bus.accept()
time.sleep(15)' &
there bus
call() {
	unpacked timeout 3 busctl "--address=unix:path=$folder/bus" call a.b /c a.b D "$@" 2>&1 >/dev/null </dev/null || true
}
found "h 0" "UNIX file descriptor not supported as type." "$(call h 0)"
verdict
