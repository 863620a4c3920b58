#!/usr/bin/env bash
# Question:  unix-dgram receives a datagram of 100,000 bytes. How much of it arrives?
# Expected:  all of it; the kernel takes datagrams of up to 212,960 bytes by default.
# Found:     the first 65,536 bytes, as a message like any other: "size" is 65,536, and there is neither a mark nor an error. The
#            sender is told nothing.
# Version:   unix-dgram 2.0.7 (npm), with the Node that is installed.
# Source:    unix-dgram, src/unix_dgram.cc, OnRecv.
# For you:   keep what you send to a unix-dgram receiver within 64 KiB.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

npm_packages unix-dgram@2.0.7
cat >receiver.js <<'JS'
const socket = require('unix-dgram').createSocket('unix_dgram', (message, from) => {
	console.log(message.length, from.size);
	socket.close();
});
socket.on('error', e => console.log(e.message));
socket.bind('s.sock');
setTimeout(() => process.exit(), 10000).unref();
JS
timeout 20 node receiver.js >received &
receiver=$!
there s.sock
timeout 10 python3 -c '
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("s.sock")
print(s.send(b"x" * 100000))' >sent
wait "$receiver"
found "bytes sent" 100000 "$(<sent)"
found "bytes received, and size" "65536 65536" "$(<received)"
verdict
