#!/usr/bin/env bash
# Question:  a service has StandardInput=socket, one .socket unit, and two descriptors in the manager's store (FDSTORE=1). What is in
#            LISTEN_FDS when it is started again?
# Expected:  the two from the store at least, as nothing else leads to them; perhaps the listener, too.
# Found:     nothing: LISTEN_FDS is not set. With StandardInput=socket the listener is standard input, and that is all that is passed.
#            The store keeps its two, out of reach of the service that they are kept for; without StandardInput= they come back.
# Version:   systemd 252.39-1~deb12u2, its user manager.
# Source:    systemd, src/core/execute.c, exec_spawn (EXEC_INPUT_SOCKET takes the first socket and leaves the list empty).
# For you:   a program that is to keep its descriptors over a restart (afunix/upgrade, or FDSTORE=1) is not started as if by inetd.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/manager.sh
source "$lib/manager.sh"

cat >service.py <<PY
import array, os, socket, stat, sys, time
def notify(message, descriptors=()):
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendmsg([message], rights, 0, os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
stdin = "a socket" if stat.S_ISSOCK(os.fstat(0).st_mode) else "none"
with open("$folder/" + sys.argv[1], "a") as seen:
    print("standard input:", stdin + ";", "LISTEN_FDNAMES:", os.environ.get("LISTEN_FDNAMES"), file=seen)
if "kept" not in os.environ.get("LISTEN_FDNAMES", ""):
    for i in range(2):
        notify(b"FDSTORE=1\nFDNAME=kept%d" % i, [os.memfd_create("kept")])
notify(b"READY=1")
time.sleep(60)
PY
for name in inetd plain; do
	unit $name.socket "ListenStream=$folder/$name.sock" FileDescriptorName=listener
	standard_input=null
	[[ $name == plain ]] || standard_input=socket
	unit $name.service Type=notify StandardInput=$standard_input FileDescriptorStoreMax=2 \
		"ExecStart=$(command -v python3) $folder/service.py $name.seen"
done
manager <<'SH'
for name in inetd plain; do
	ctl start $name.socket
	ctl start $name
	ctl restart $name
	ctl show --property NFileDescriptorStore $name >$name.store
done
SH
found "StandardInput=socket, again" "standard input: a socket; LISTEN_FDNAMES: None" "$(sed -n 2p inetd.seen)"
found "in the store" NFileDescriptorStore=2 "$(cat inetd.store)"
found "without it, again" "standard input: none; LISTEN_FDNAMES: listener:kept1:kept0" "$(sed -n 2p plain.seen)"
verdict
