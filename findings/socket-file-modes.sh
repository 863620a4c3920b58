#!/usr/bin/env bash
# Question:  with umask 022, which mode does a server's socket file have?
# Expected:  0755, as bind(2) makes it: 0777 without the umask.
# Found:     whatever the server thinks best. systemd-socket-activate: 0644. spawn-fcgi: 0640. openbsd-inetd: 0666.
#            s6-ipcserver-socketbinder and unixserver: 0777, as both set the umask to 0 (unixserver's manual says 0666), and s6-socklog,
#            too. Linux lets other users connect if they may write to the file, so to systemd-socket-activate's nobody but its owner can,
#            although systemd itself makes sockets 0666 if it is not told otherwise.
# Version:   systemd 252.39-1~deb12u2, spawn-fcgi 1.6.4-2, s6 2.11.3.2-1, ucspi-unix 1.0-2, openbsd-inetd 0.20221205-2~deb12u1.
# Source:    systemd, src/shared/socket-netlink.c, make_socket_fd; spawn-fcgi(1), "-M"; s6, src/conn-tools/s6-ipcserver-socketbinder.c;
#            unixserver(1), "-p" and "-m"; systemd.socket(5), "SocketMode="; unix(7), "Pathname socket ownership and permissions".
# For you:   a client of another user gets EACCES from Dial: look at the file's mode, and set it where the server is started.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

debian systemd=252.39-1~deb12u2 libsystemd-shared=252.39-1~deb12u2 spawn-fcgi=1.6.4-2 s6=2.11.3.2-1 libs6-2.11=2.11.3.2-1 \
	libskarnet2.13=2.13.1.1-1 libexecline2.9=2.9.3.0-1 ucspi-unix=1.0-2 openbsd-inetd=0.20221205-2~deb12u1 libwrap0=7.6.q-32

# mode PROGRAM… tells the mode of s.sock, which the program makes.
mode() {
	rm -f s.sock
	start "$@" >/dev/null 2>&1
	there s.sock
	sleep 0.2 # for a chmod
	stat -c %a s.sock
	kill $!
}
found "systemd-socket-activate" 644 "$(mode systemd-socket-activate -l "$folder/s.sock" cat)"
found "spawn-fcgi" 640 "$(mode spawn-fcgi -n -s "$folder/s.sock" -- /bin/sleep 5)"
found "s6-ipcserver-socketbinder" 777 "$(mode s6-ipcserver-socketbinder "$folder/s.sock" sleep 5)"
found "s6-socklog" 777 "$(mode s6-socklog -x "$folder/s.sock")"
found "unixserver" 777 "$(mode unixserver "$folder/s.sock" -- cat)"
echo "$folder/s.sock stream unix nowait $(id -un) /bin/cat cat" >inetd.conf
found "inetd" 666 "$(mode inetd -d inetd.conf)"
verdict
