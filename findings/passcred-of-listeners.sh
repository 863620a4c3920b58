#!/usr/bin/env bash
# Question:  a server sets SO_PASSCRED on its listening unix socket after a client has connected, and before it
#            accepts that client. Has the accepted socket the option?
# Expected:  yes: an accepted socket has the options that its listener has at accept(2).
# Found:     no. It has what the listener had when the client connected: set in between it is 0, cleared in between it is 1.
# Version:   Linux 6.18.44. (6.1 is as expected.)
# Source:    Linux, net/unix/af_unix.c, unix_stream_connect (the new socket is made there, and unix_accept only hands it out).
# For you:   set it before listen(2), or on what accept(2) returns; else the first messages of early clients come without
#            credentials. Listener.SetPassCredentials of afunix is to be called before the first client comes, too.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

cat >passcred.py <<'PY'
import os, socket, sys

def accepted(before, after):
    name = "listener%d" % before
    server = socket.socket(socket.AF_UNIX)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, before)
    server.bind(name)
    server.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect(name)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, after)
    conn, _ = server.accept()
    return conn.getsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED)

print(accepted(0, 1), accepted(1, 0))
PY
found "set, cleared between connect(2) and accept(2) (Linux $(uname -r))" "0 1" "$(timeout 20 python3 passcred.py)"
verdict
