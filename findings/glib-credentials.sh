#!/usr/bin/env bash
# Question:  a process inherits one end of a socket pair and writes the NUL byte that GUnixConnection.receive_credentials waits for,
#            before the receiver calls that. Whose credentials does GLib return?
# Expected:  nobody's (PID 0, user 65534), as the kernel says of a message that was sent before anybody asked for credentials.
# Found:     those of the process that made the pair, which is the receiver itself here: GLib takes SO_PEERCRED where the message has
#            none, and does not say so. If the byte is sent while GLib waits, the credentials are the sender's.
# Version:   libglib2.0-0 2.74.6-2+deb12u9, python3-gi 3.42.2-3+b1.
# Source:    GLib, gio/gunixconnection.c, g_unix_connection_receive_credentials; unix(7), "SO_PEERCRED".
# For you:   a child with an end of Pair may be taken for its parent by a GLib peer. Only a connection that the child has dialled itself
#            says who it is; and so it is with PeerCredentials.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

debian python3-gi=3.42.2-3+b1 gir1.2-glib-2.0=1.74.0-3 libgirepository-1.0-1=1.74.0-3 libglib2.0-0=2.74.6-2+deb12u9
export PYTHONPATH=$folder/tree/usr/lib/python3/dist-packages GI_TYPELIB_PATH=$folder/tree/usr/lib/x86_64-linux-gnu/girepository-1.0
unpacked /usr/bin/python3 -c 'from gi.repository import Gio' 2>import.log || cannot "$(tail -n 1 import.log)"
cat >receiver.py <<'PY'
import os, select, socket, sys, time
from gi.repository import Gio
for early in (True, False):
    ours, theirs = socket.socketpair()
    sender = os.fork()
    if sender == 0:
        if not early:
            while not ours.getsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED):
                time.sleep(0.01)
            time.sleep(0.2)
        theirs.send(b"\0")
        os._exit(0)
    if early:
        select.select([ours], [], [], 5)
    connection = Gio.UnixConnection(socket=Gio.Socket.new_from_fd(os.dup(ours.fileno())))
    pid = connection.receive_credentials(None).get_unix_pid()
    print("early:" if early else "late:", {os.getpid(): "the receiver", sender: "the sender"}.get(pid, pid))
    os.waitpid(sender, 0)
PY
found "the credentials are of" "early: the receiver, late: the sender" "$(unpacked /usr/bin/python3 receiver.py | paste -sd , | sed 's/,/, /')"
verdict
