#!/usr/bin/env bash
# Question:  what does SO_RCVTIMEO of -1 second mean, and what does getsockopt(2) give for it?
# Expected:  EDOM or EINVAL, as for microseconds that are out of range; or no limit.
# Found:     it is accepted, and means not to wait at all: recv(2) fails with EAGAIN at once. getsockopt(2) gives 0, and who sets
#            that again, as code does that saves an option and restores it, waits for ever.
# Version:   Linux 6.18.44.
# Source:    Linux, net/core/sock.c, sock_set_timeout and sock_get_timeout.
# For you:   a time that was computed, and has become negative, does not fail: it makes a socket that never waits. dropin does as
#            the kernel does.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

cat >timeout.py <<'PY'
import socket, struct

a, b = socket.socketpair()
a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", -1, 0))
kept = struct.unpack("qq", a.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16))
try:
    a.recv(1)
except BlockingIOError:
    print("accepted, EAGAIN, reads back as", *kept)
PY
found "-1 s (Linux $(uname -r))" "accepted, EAGAIN, reads back as 0 0" "$(timeout 20 python3 timeout.py || echo "no answer: $?")"
verdict
