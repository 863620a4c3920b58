#!/usr/bin/env bash
# Question:  a service gives the manager three sockets to keep (FDSTORE=1), a, b and c. In which order are they in LISTEN_FDNAMES when
#            it is started again?
# Expected:  in the order in which they were stored.
# Found:     the last one first: c, b, a. And if the manager has reloaded its units in between (daemon-reload), which writes its state
#            down and reads it again, the other way round: a, b, c. Those of one message are shuffled.
# Version:   systemd 252.39-1~deb12u2, its user manager.
# Source:    systemd, src/core/service.c, service_add_fd_store (it prepends), service_serialize, and service_add_fd_store_set
#            (a set, whose members come in no order).
# For you:   what is stored under the same name may come back in any order: give each its own name, or ask each who it is
#            (getsockname), as the Listen functions of afunix/upgrade do.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/manager.sh
source "$lib/manager.sh"

cat >service.py <<'PY'
import array, os, socket, sys, time
def notify(message, descriptors):
    address = os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else [], 0, address)
def bound(name):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(name)
    kept.append(s)
    return s.fileno()
kept = []
count = int(os.environ.get("LISTEN_FDS", 0))
if count:
    paths = [socket.socket(fileno=fd).getsockname() for fd in range(3, 3 + count)]
    with open(sys.argv[1] + ".seen", "a") as seen:
        print(os.environ["LISTEN_FDNAMES"], *paths, file=seen)
elif sys.argv[1] == "three":
    for name in "abc":
        notify(b"FDSTORE=1\nFDNAME=" + name.encode(), [bound(name + ".sock")])
else:
    notify(b"FDSTORE=1\nFDNAME=x", [bound(f"x{i}.sock") for i in range(8)])
notify(b"READY=1", [])
time.sleep(60)
PY
for name in three one-message; do
	unit $name.service Type=notify FileDescriptorStoreMax=9 "WorkingDirectory=$folder" "ExecStart=$(command -v python3) service.py $name"
done
manager <<'SH'
ctl start three one-message
ctl restart three one-message
ctl daemon-reload
ctl restart three
SH
found "stored a, b, c" "c:b:a c.sock b.sock a.sock" "$(sed -n 1p three.seen)"
found "after a daemon-reload" "a:b:c a.sock b.sock c.sock" "$(sed -n 2p three.seen)"
read -r names paths <one-message.seen
found "eight in one message, all there" "x:x:x:x:x:x:x:x x0.sock x1.sock x2.sock x3.sock x4.sock x5.sock x6.sock x7.sock" \
	"$names $(tr ' ' '\n' <<<"$paths" | sort | paste -sd ' ')"
case $paths in
"x0.sock x1.sock x2.sock x3.sock x4.sock x5.sock x6.sock x7.sock") order="as sent" ;;
"x7.sock x6.sock x5.sock x4.sock x3.sock x2.sock x1.sock x0.sock") order="the last one first" ;;
*) order="none" ;;
esac
found "their order" none "$order"
verdict
