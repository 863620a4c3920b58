#!/usr/bin/env bash
# Question:  ListenStream= names a path at which there is a regular file with content, a symbolic link to one, or a FIFO. What does the
#            .socket unit do, and what does systemd-socket-activate --listen?
# Expected:  both fail with "address in use", and the file stays: only a socket that nobody listens in is in the way by mistake.
# Found:     both remove whatever is there, the content with it (of a link the link), and listen. Only a directory is refused.
#            So is a living server's socket removed, from under it.
# Version:   systemd 252.39-1~deb12u2, its user manager and systemd-socket-activate.
# Source:    systemd, socket_address_listen, socket_address_unlink and sockaddr_un_unlink.
# For you:   a typing error in a .socket unit can cost a file. afunix.Listen says EADDRINUSE to all of them, and afunix/upgrade removes
#            a socket file only, in which nobody listens.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/manager.sh
source "$lib/manager.sh"

things() {
	mkdir "$1" "$1/directory"
	echo content | tee "$1/file" >"$1/target"
	ln -s target "$1/link"
	mkfifo "$1/fifo"
	python3 living.py "$1/living.sock" &
	there "$1/living.sock"
}
# seen WHERE tells what is at each of the names now.
seen() {
	local name
	for name in "${names[@]}"; do
		if [[ ! -S $1/$name ]]; then
			echo "$name: as it was"
		elif [[ $name != living.sock ]]; then
			echo "$name: a socket"
		else
			echo "$name: $(timeout 5 python3 call.py "$1/$name")"
		fi
	done | paste -sd , | sed 's/,/, /g'
}
cat >living.py <<'PY'
import socket, sys
living = socket.socket(socket.AF_UNIX)
living.bind(sys.argv[1])
living.listen(8)
while True:
    client, _ = living.accept()
    client.send(b"as it was")
PY
cat >call.py <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(2)
try:
    s.connect(sys.argv[1])
    print(s.recv(100).decode())
except OSError:
    print("somebody else's")
PY
names=(file link fifo directory living.sock)
for where in activate unit; do
	things $where
	found "$where, before" "file: as it was, link: as it was, fifo: as it was, directory: as it was, living.sock: as it was" "$(seen $where)"
done
for name in "${names[@]}"; do
	unit "$name.socket" "ListenStream=$folder/unit/$name" Service=none.service
	start systemd-socket-activate --listen="$folder/activate/$name" sleep 20 2>"activate-$name.log"
done
unit none.service ExecStart=/bin/true
manager <<'SH'
for name in file link fifo directory living.sock; do
	ctl start $name.socket || true
done
SH
for name in "${names[@]}"; do
	for ((i = 0; i < 100; i++)); do
		[[ ! -s activate-$name.log ]] || break
		sleep 0.05
	done
done
for where in unit activate; do
	found "$where" "file: a socket, link: a socket, fifo: a socket, directory: as it was, living.sock: somebody else's" "$(seen $where)"
done
found "what the link led to" content "$(cat unit/target)"
verdict
