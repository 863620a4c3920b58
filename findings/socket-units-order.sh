#!/usr/bin/env bash
# Question:  Sockets=a.socket b.socket c.socket d.socket. In which order does the service get them?
# Expected:  in that order, as the sockets of one unit come in the order of its Listen lines.
# Found:     in an order of its own for each service, and another one after a daemon-reload.
# Version:   systemd 252.39-1~deb12u2, its user manager.
# Source:    systemd, src/core/service.c, service_collect_fds (it walks the unit's dependencies, which are a hash map).
# For you:   with more than one .socket unit, go by FileDescriptorName= or by the address, never by number: SD_LISTEN_FDS_START + 1
#            is right until the day on which it is the admin socket. afunix/upgrade goes by name, type and address.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/manager.sh
source "$lib/manager.sh"

services=(s0 s1 s2 s3 s4 s5)
for service in "${services[@]}"; do
	for name in a b c d; do
		unit "$service-$name.socket" "ListenStream=$folder/$service-$name.sock" "FileDescriptorName=$name" Service="$service.service"
	done
	unit "$service.service" Type=oneshot "Sockets=$service-a.socket $service-b.socket $service-c.socket $service-d.socket" \
		"ExecStart=/bin/sh -c 'echo \$LISTEN_FDNAMES >>$folder/$service.seen'"
done
for name in a b c d; do
	listens+=("ListenStream=$folder/one-$name.sock")
done
unit one.socket "${listens[@]}"
unit one.service Type=oneshot "ExecStart=$(command -v python3) $folder/names.py"
cat >names.py <<PY
import os, socket
with open("$folder/one.seen", "w") as seen:
    print(*[os.path.basename(socket.socket(fileno=3 + i).getsockname()) for i in range(int(os.environ["LISTEN_FDS"]))], file=seen)
PY
manager <<'SH'
ctl start one.socket
ctl start one
for service in s0 s1 s2 s3 s4 s5; do
	ctl start $service-{a,b,c,d}.socket
	ctl start $service
done
ctl daemon-reload
for service in s0 s1 s2 s3 s4 s5; do
	ctl start $service
done
SH
found "four lines of one unit" "one-a.sock one-b.sock one-c.sock one-d.sock" "$(cat one.seen)"
found "four units, all there" a:b:c:d "$(tr ':' '\n' <s0.seen | sort -u | paste -sd :)"
for service in "${services[@]}"; do
	echo "$service: $(paste -sd ' ' "$service.seen")"
	[[ $(sed -n 1p "$service.seen") == a:b:c:d ]] || shuffled=yes
	[[ $(sort -u "$service.seen" | wc -l) == 1 ]] || reshuffled=yes
done
found "six services, an order other than that of Sockets=" yes "${shuffled:-no}"
found "another order after a daemon-reload" yes "${reshuffled:-no}"
verdict
