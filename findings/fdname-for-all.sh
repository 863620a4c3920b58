#!/usr/bin/env bash
# Question:  systemd-socket-activate is told to listen at two addresses, with --fdname=one. What are the two descriptors called?
# Expected:  an error, as there are more sockets than names; the manual page says that the second one has no name.
# Found:     LISTEN_FDNAMES=one:one: a single name is given to every descriptor. (Two names for two sockets are as they should be.)
# Version:   systemd 252.39-1~deb12u2.
# Source:    systemd, src/socket-activate/socket-activate.c, exec_process; systemd-socket-activate(1), "--fdname=".
# For you:   a name does not say which socket is meant; afunix/activation looks at the type and the address, too.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

debian systemd=252.39-1~deb12u2 libsystemd-shared=252.39-1~deb12u2
names() {
	rm -f ./*.sock
	# shellcheck disable=SC2016 # expanded by the activated shell
	start systemd-socket-activate "$@" -l "$folder/a.sock" -l "$folder/b.sock" \
		sh -c 'echo "$LISTEN_FDS $LISTEN_FDNAMES"' >names 2>/dev/null
	there b.sock
	timeout 10 python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("b.sock")'
	wait $!
	cat names
}
found "--fdname=one" "2 one:one" "$(names --fdname=one)"
found "--fdname=one:two" "2 one:two" "$(names --fdname=one:two)"
verdict
