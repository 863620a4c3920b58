#!/usr/bin/env bash
# Question:  a bus listens at a path with a space. Its address is "unix:path=…/a%20b/bus", as the D-Bus specification has it, and
#            dbus-daemon prints it so, and busctl understands that. Do the two clients for Node?
# Expected:  yes, the value of a key is unescaped.
# Found:     no. Both look for a file with "%20" in its name, and fail with ENOENT; the address with the plain space, which no bus
#            prints, works.
# Version:   dbus-next 0.10.2 and @homebridge/dbus-native 0.7.9 (npm), with the Node that is installed.
# Source:    dbus-next, lib/connection.js, createStream; dbus-native, index.js, createStream; D-Bus Specification, "Server Addresses".
# For you:   a service whose D-Bus clients may be these keeps its path to letters, digits and -_/.\* (there is nothing to escape then).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

npm_packages dbus-next@0.10.2 @homebridge/dbus-native@0.7.9
mkdir 'a b'
cat >next.js <<'JS'
require('dbus-next').sessionBus({busAddress: process.argv[2]}).on('error', e => { console.log(e.code || e.message); process.exit(); });
JS
cat >native.js <<'JS'
const {connection} = require('@homebridge/dbus-native').createClient({busAddress: process.argv[2]});
connection.on('error', e => { console.log(e.code || e.message); process.exit(); });
JS
# The bus says who has come, which is all that is asked here, and ends the client.
cat >bus.py <<'PY'
import socket, subprocess, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind("a b/bus")
listener.listen(1)
listener.settimeout(10)
for address in sys.argv[2:]:
    client = subprocess.Popen(["node", sys.argv[1], address], stdout=subprocess.PIPE, text=True)
    listener.settimeout(0.1)
    for _ in range(100):
        try:
            listener.accept()
            print("connected")
            break
        except TimeoutError:
            if client.poll() is not None:
                print(client.stdout.read().strip())
                break
    client.kill()
    client.wait()
PY
for client in next native; do
	rm -f 'a b/bus'
	said=$(timeout 30 python3 bus.py $client.js "unix:path=$folder/a%20b/bus" "unix:path=$folder/a b/bus" | paste -sd ' ')
	found "$client, escaped and not" "ENOENT connected" "$said"
done
verdict
