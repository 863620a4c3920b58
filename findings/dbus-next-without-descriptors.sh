#!/usr/bin/env bash
# Question:  can a program that uses dbus-next receive descriptors from a D-Bus service?
# Expected:  yes, it depends on a native module for descriptor passing, so it negotiates them with the bus as libdbus, GLib and godbus do.
# Found:     no, twice. Without {negotiateUnixFd: true} the client never sends NEGOTIATE_UNIX_FD, and a bus gives it no message with
#            descriptors; one that it is to send itself is dropped with a warning on the console. With the option it does not send it
#            either on a current Node: the native module it names (usocket ^0.3.0) is optional and no longer builds there, which npm
#            does not say, and the client goes on without. With usocket 1.1.0 beside it, it negotiates.
# Version:   dbus-next 0.10.2 and usocket 1.1.0 (npm), with Node 20.
# Source:    dbus-next, lib/connection.js, createStream and opts.negotiateUnixFd, and package.json, optionalDependencies.
# For you:   a service in Go that answers with descriptors names the option and the module to users of dbus-next.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

npm_packages dbus-next@0.10.2
cat >client.js <<'JS'
const bus = require('dbus-next').sessionBus({busAddress: 'unix:path=' + process.cwd() + '/bus', ...JSON.parse(process.argv[2])});
bus.on('error', () => process.exit());
setTimeout(() => process.exit(), 10000);
JS
# The peer goes through the handshake of D-Bus, tells what it was sent, and hangs up.
cat >bus.py <<'PY'
import socket
listener = socket.socket(socket.AF_UNIX)
listener.bind("bus")
listener.listen(1)
conn, _ = listener.accept()
conn.settimeout(10)
lines = conn.makefile("rb")
said = []
for line in lines:
    word = line.strip(b"\0\r\n").split(b" ")[0].decode()
    said.append(word)
    if word == "BEGIN":
        break
    conn.sendall({"AUTH": b"OK 0123456789abcdef0123456789abcdef\r\n", "NEGOTIATE_UNIX_FD": b"AGREE_UNIX_FD\r\n"}.get(word, b"ERROR\r\n"))
print(*said)
PY
handshake() {
	local bus
	rm -f bus
	timeout 20 python3 bus.py >said &
	bus=$!
	there bus
	timeout 20 node client.js "$1" >/dev/null 2>&1 || true
	wait "$bus"
	cat said
}
found "by default" "AUTH BEGIN" "$(handshake '{}')"
found "asked for" "AUTH BEGIN" "$(handshake '{"negotiateUnixFd": true}')"
npm_packages usocket@1.1.0
found "by default, with usocket 1.1.0" "AUTH BEGIN" "$(handshake '{}')"
found "asked for, with usocket 1.1.0" "AUTH NEGOTIATE_UNIX_FD BEGIN" "$(handshake '{"negotiateUnixFd": true}')"
verdict
