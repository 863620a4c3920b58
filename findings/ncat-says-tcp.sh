#!/usr/bin/env bash
# Question:  ncat listens on a unix socket and runs a program for each client. What do its variables say about the connection?
# Expected:  NCAT_PROTO names a unix socket, NCAT_REMOTE_ADDR is empty or the client's path.
# Found:     NCAT_PROTO=TCP, NCAT_REMOTE_ADDR=localhost and NCAT_LOCAL_ADDR=localhost, both ports empty; so that programs
#            from before there were unix sockets go on.
# Version:   ncat 7.93+dfsg1-1.
# Source:    nmap, ncat/ncat_core.c, setup_environment; ncat(1), "--exec".
# For you:   a program that trusts localhost more than others trusts everybody who may open the socket file.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

debian ncat=7.93+dfsg1-1 liblua5.3-0=5.3.6-2 libpcap0.8=1.10.3-1 liblinear4=2.3.0+dfsg-5
# shellcheck disable=SC2016 # expanded by ncat's shell
start ncat -lU s.sock --sh-exec 'echo "$NCAT_PROTO [$NCAT_REMOTE_ADDR] [$NCAT_REMOTE_PORT] [$NCAT_LOCAL_ADDR] [$NCAT_LOCAL_PORT]"'
there s.sock
found "protocol, remote and local address" "TCP [localhost] [] [localhost] []" "$(timeout 10 python3 -c '
import socket
s = socket.socket(socket.AF_UNIX)
s.connect("s.sock")
print(s.makefile().readline().strip())')"
verdict
