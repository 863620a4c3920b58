#!/usr/bin/env bash
# Question:  s6-ipcserver-socketbinder keeps a file PATH.lock beside its socket. What happens to a second one for the same path?
# Expected:  it fails with "address in use" or waits, for what else is the lock.
# Found:     it takes the path over: the lock is held only while the socket is made, and the old file is removed whoever listens in it.
#            The first server runs on, and nobody comes any more; it is not told, and when it ends nothing is given back.
# Version:   s6 2.11.3.2-1.
# Source:    skalibs, src/libwebipc/ipc_bind_reuse_lock.c; s6, src/conn-tools/s6-ipcserver-socketbinder.c, "-D".
# For you:   a listener whose socket file is no longer its own hears nothing of it: compare the file's inode now and then.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

debian s6=2.11.3.2-1 libs6-2.11=2.11.3.2-1 libskarnet2.13=2.13.1.1-1 libexecline2.9=2.9.3.0-1
server() {
	start s6-ipcserver-socketbinder "$folder/s.sock" s6-ipcserverd echo "$1"
}
answer() {
	timeout 10 python3 -c '
import socket
s = socket.socket(socket.AF_UNIX)
s.connect("s.sock")
print(s.makefile().readline().strip())'
}
server first
there s.sock
found "one server" first "$(answer)"
inode=$(stat -c %i s.sock)
server second
for ((i = 0; i < 40; i++)); do
	[[ $(stat -c %i s.sock 2>/dev/null) == "$inode" ]] || break
	sleep 0.05
done
there s.sock
found "two servers" second "$(answer)"
found "running servers" 2 "$(jobs -rp | wc -l)"
found "files" "s.sock s.sock.lock" "$(echo s.sock*)"
verdict
