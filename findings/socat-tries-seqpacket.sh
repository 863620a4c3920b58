#!/usr/bin/env bash
# Question:  socat's UNIX-CLIENT meets a seqpacket listener. The manual says that it tries a stream, then a datagram socket.
# Expected:  it fails: "protocol wrong type for socket", as UNIX-CONNECT does.
# Found:     UNIX-CLIENT connects, and each block that it reads is a record. UNIX-CONNECT fails. So does nothing for the other side:
#            socat has no listener that takes both.
# Version:   socat 1.7.4.4-2.
# Source:    socat, xio-unix.c, _xioopen_unix_client; socat(1), "UNIX-CLIENT".
# For you:   socat - UNIX-CLIENT:PATH speaks to a listener of "unixpacket", too; UNIX-CONNECT needs the option type=5.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

debian socat=1.7.4.4-2 libwrap0=7.6.q-32
unpacked socat -V >/dev/null || cannot "socat does not start"
cat >listener.py <<'PY'
import socket
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind("s.sock")
listener.listen(1)
listener.settimeout(3)
try:
    conn, _ = listener.accept()
    print("record", conn.recv(100).decode().strip())
except TimeoutError:
    print("nobody")
PY
got() {
	local listener
	rm -f s.sock
	timeout 20 python3 listener.py >got &
	listener=$!
	there s.sock
	echo hello | unpacked socat -u - "$1" 2>/dev/null || true
	wait "$listener"
	cat got
}
found "UNIX-CLIENT" "record hello" "$(got UNIX-CLIENT:s.sock)"
found "UNIX-CONNECT" "nobody" "$(got UNIX-CONNECT:s.sock)"
found "UNIX-CONNECT with type=5" "record hello" "$(got UNIX-CONNECT:s.sock,type=5)"
verdict
