#!/usr/bin/env bash
# Question:  an address is a list, "unix:path=/nowhere;unix:path=…/bus", and the first one leads nowhere. Do D-Bus clients try the second?
# Expected:  yes, that is what the list is for.
# Found:     dbus-send, busctl and godbus do. jeepney and dbus-next for Node take the first and fail. dbus-next for Python
#            tries both, connects to the second, and then fails with the error of the first.
# Version:   python3-jeepney 0.8.0-3, python3-dbus-next 0.2.3-3, dbus-next 0.10.2 (npm), godbus v5.2.2; dbus-bin 1.14.10-1~deb12u1,
#            systemd 252.39-1~deb12u2.
# Source:    jeepney, jeepney/bus.py, get_bus; dbus-next for Python, dbus_next/message_bus.py, _setup_socket; dbus-next for Node,
#            lib/connection.js, createStream; D-Bus Specification, "Server Addresses".
# For you:   a service that changes its bus address, or has an abstract and a path one, gives each client one address.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

npm_packages dbus-next@0.10.2
debian python3-jeepney=0.8.0-3 python3-dbus-next=0.2.3-3 dbus-bin=1.14.10-1~deb12u1 libdbus-1-3=1.14.10-1~deb12u1 systemd=252.39-1~deb12u2 \
	libsystemd-shared=252.39-1~deb12u2 dbus-daemon=1.14.10-1~deb12u1
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/godbus/dbus/v5"
)

func main() {
	if _, err := dbus.Connect(os.Args[1]); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("connected")
}
GO
go_program github.com/godbus/dbus/v5@v5.2.2
cat >jeepney.py <<'PY'
import sys
sys.path[0] = "tree/usr/lib/python3/dist-packages"
from jeepney.io.blocking import open_dbus_connection
try:
    open_dbus_connection(sys.argv[1])
    print("connected")
except OSError as e:
    print(type(e).__name__)
PY
cat >next.py <<'PY'
import asyncio, sys
sys.path[0] = "tree/usr/lib/python3/dist-packages"
from dbus_next.aio import MessageBus
async def connect():
    try:
        await asyncio.wait_for(MessageBus(bus_address=sys.argv[1]).connect(), 10)
        print("connected")
    except OSError as e:
        print(type(e).__name__)
asyncio.run(connect())
PY
cat >next.js <<'JS'
const bus = require('dbus-next').sessionBus({busAddress: process.argv[2]});
bus.on('error', e => { console.log(e.code || e.message); process.exit(); });
bus.on('connect', () => { console.log('connected'); process.exit(); });
JS
cat >bus.conf <<XML
<busconfig>
  <listen>unix:path=$folder/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
XML
start dbus-daemon --nofork --config-file=bus.conf 2>/dev/null
there bus
connected() {
	unpacked "$@" >/dev/null 2>&1 && echo connected || echo refused
}
each() {
	local bus=org.freedesktop.DBus
	connected env DBUS_SESSION_BUS_ADDRESS="$1" dbus-send --session --print-reply --dest=$bus / $bus.GetId
	connected busctl --address="$1" call $bus / $bus GetId
	timeout 20 ./program "$1"
	timeout 20 python3 jeepney.py "$1"
	timeout 20 python3 next.py "$1"
	timeout 20 node next.js "$1"
}
echo "each: dbus-send, busctl, godbus, jeepney, dbus-next for Python, dbus-next for Node"
found "the bus alone" "connected connected connected connected connected connected" "$(each "unix:path=$folder/bus" | paste -sd ' ')"
found "after one that leads nowhere" "connected connected connected FileNotFoundError FileNotFoundError ENOENT" \
	"$(each "unix:path=$folder/nowhere;unix:path=$folder/bus" | paste -sd ' ')"
verdict
