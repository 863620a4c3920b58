#!/usr/bin/env bash
# Question:  a .socket unit has FileDescriptorName=mine and Accept=yes; a client that is bound to a path connects. What are
#            LISTEN_FDNAMES and REMOTE_ADDR of the instance?
# Expected:  mine, and the client's path.
# Found:     LISTEN_FDNAMES=connection: the name is for listeners alone, and it is dropped without a word. REMOTE_ADDR is not set for
#            local clients at all. systemd-socket-activate, with which one tries such a service, does pass mine (--fdname=mine --accept).
# Version:   systemd 252.39-1~deb12u2, its user manager and systemd-socket-activate.
# Source:    systemd, src/core/service.c, service_collect_fds (the name) and service_spawn (REMOTE_ADDR).
# For you:   a program that is started for each connection cannot tell by the name which of its sockets was called; use
#            getsockname(2), that is LocalAddr, and Credentials instead of REMOTE_ADDR.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/manager.sh
source "$lib/manager.sh"

for accept in yes no; do
	unit "$accept.socket" "ListenStream=$folder/$accept.sock" FileDescriptorName=mine Accept=$accept
done
cat >name.py <<PY
import os, socket, sys
with open("$folder/" + sys.argv[1], "w") as seen:
    print(os.environ["LISTEN_FDNAMES"], os.environ.get("REMOTE_ADDR", "unset"), file=seen)
    if sys.argv[1] == "yes.seen":
        connection = socket.socket(fileno=3)
        print(os.path.basename(connection.getpeername()), os.path.basename(connection.getsockname()), file=seen)
        connection.send(b"seen")
PY
unit yes@.service "ExecStart=$(command -v python3) $folder/name.py yes.seen"
unit no.service Type=oneshot "ExecStart=$(command -v python3) $folder/name.py no.seen"
cat >client.py <<PY
import socket
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.bind("$folder/client.sock")
s.connect("$folder/yes.sock")
s.recv(10)
PY
manager <<'SH'
ctl start yes.socket no.socket
ctl start no
python3 client.py
SH
found "the listener: name, REMOTE_ADDR" "mine unset" "$(cat no.seen)"
found "the connection: name, REMOTE_ADDR" "connection unset" "$(sed -n 1p yes.seen)"
found "getpeername, getsockname" "client.sock yes.sock" "$(sed -n 2p yes.seen)"
# shellcheck disable=SC2016 # the variable is the child's
start systemd-socket-activate --accept --fdname=mine --listen="$folder/tool.sock" sh -c 'echo "$LISTEN_FDNAMES" >tool.seen' 2>/dev/null
there tool.sock
python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("tool.sock"); s.recv(1)'
there tool.seen
found "systemd-socket-activate: name" mine "$(cat tool.seen)"
verdict
