#!/usr/bin/env bash
# Question:  systemd-tmpfiles --clean removes old files, and leaves sockets alone that somebody listens on. Does it know them all?
# Expected:  every socket file with a living owner stays, whatever became of its name; the stale one goes.
# Found:     it compares the file's path with the path that bind(2) was given, as text. A socket that was bound under another name and
#            renamed into place goes while its owner listens, and so does one that was bound by a relative path, through a symbolic
#            link (/var/run/x) or with ".." in the path. Streams and datagram sockets under the very path stay, and so does any file
#            whose sticky bit is set.
# Version:   systemd 252.39-1~deb12u2.
# Source:    systemd, src/tmpfiles/tmpfiles.c: load_unix_sockets and unix_socket_alive; tmpfiles.d(5), "Age".
# For you:   the Address of afunix/upgrade is renamed into place: keep it in a RuntimeDirectory=, not where files go by age (/tmp, with
#            systemd's own configuration, after ten days), or have a line "x PATH" in a file of tmpfiles.d.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

debian systemd=252.39-1~deb12u2 libsystemd-shared=252.39-1~deb12u2
mkdir kept
ln -s kept link
echo "d $folder/kept 0755 - - 1s" >age.conf

cat >sockets.py <<'PY'
import os, socket, sys, time
held = []
def bind(kind, path):
    s = socket.socket(socket.AF_UNIX, kind)
    s.bind(path)
    if kind == socket.SOCK_STREAM:
        s.listen(1)
    held.append(s)
folder = os.getcwd()
bind(socket.SOCK_STREAM, folder + "/kept/listener")
bind(socket.SOCK_DGRAM, folder + "/kept/datagram")
bind(socket.SOCK_STREAM, folder + "/kept/temporary")
os.rename("kept/temporary", "kept/renamed")
bind(socket.SOCK_STREAM, folder + "/kept/temporary")
os.rename("kept/temporary", "kept/sticky")
os.chmod("kept/sticky", 0o1755)
bind(socket.SOCK_STREAM, "kept/relative")
bind(socket.SOCK_STREAM, folder + "/link/through-a-link")
bind(socket.SOCK_STREAM, folder + "/kept/../kept/dots")
bind(socket.SOCK_STREAM, folder + "/kept/stale")
held.pop().close()
open("ready", "w").close()
time.sleep(30)
PY
timeout 30 python3 sockets.py &
there ready
sleep 2 # the age is one second

unpacked systemd-tmpfiles --clean "$folder/age.conf"
found "what is left" "datagram listener sticky" "$(cd kept && echo *)"
verdict
