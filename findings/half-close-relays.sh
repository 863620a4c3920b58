#!/usr/bin/env bash
# Question:  a client sends its question, shuts down its writing side and waits for the answer, as CloseWrite and "cat" do; the server
#            answers half a second after the end of the question. Does the answer arrive through a relay?
# Expected:  yes: a relay passes a half-close on as one.
# Found:     through systemd-socket-proxyd and through "ncat -l --exec" (TCP or not) it does not: the end of one direction is the end of
#            both. A program that reads its input to the end, such as sort or cat, can never answer below "ncat -l". Without the
#            shutdown the answer arrives; ncat as a client (-U) keeps waiting for it. socat's 0.5 seconds (-t) are documented.
# Version:   systemd 252.39-1~deb12u2, ncat 7.93+dfsg1-1.
# Source:    systemd, src/socket-proxy/socket-proxyd.c, connection_shovel; nmap, ncat/ncat_posix.c, netexec.
# For you:   a protocol that ends its request with CloseWrite does not survive such relays, and the client sees an empty answer and no
#            error: end requests with a length or a line.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

debian systemd=252.39-1~deb12u2 libsystemd-shared=252.39-1~deb12u2 ncat=7.93+dfsg1-1 liblua5.3-0=5.3.6-2 libpcap0.8=1.10.3-1
cat >server.py <<'PY'
import socket, threading, time
listener = socket.socket(socket.AF_UNIX)
listener.bind("server.sock")
listener.listen(8)
def serve(client):
    question = b""
    while data := client.recv(100):
        question += data
        if question.endswith(b"\n"):
            break
    time.sleep(0.5)
    try:
        client.sendall(b"answer\n")
    except OSError:
        pass
    client.close()
while True:
    threading.Thread(target=serve, args=[listener.accept()[0]]).start()
PY
cat >client.py <<'PY'
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.settimeout(10)
client.connect(sys.argv[1])
client.sendall(b"question" + (b"" if sys.argv[2] == "shutdown" else b"\n"))
if sys.argv[2] == "shutdown":
    client.shutdown(socket.SHUT_WR)
print(client.recv(100).decode().strip() or "nothing")
PY
start python3 server.py
there server.sock
asked() {
	timeout 15 python3 client.py "$1" "$2" 2>/dev/null || echo "an error"
}
start systemd-socket-activate --listen="$folder/proxyd.sock" tree/lib/systemd/systemd-socket-proxyd "$folder/server.sock" 2>/dev/null
start ncat --listen --unixsock --keep-open --sh-exec 'cat >/dev/null; sleep 0.5; echo answer' ncat.sock
start ncat --listen --unixsock --keep-open --sh-exec 'read -r line; sleep 0.5; echo answer' ncat-line.sock
there proxyd.sock
there ncat.sock
there ncat-line.sock
found "without a relay, line and shutdown" "answer answer" "$(asked server.sock line) $(asked server.sock shutdown)"
found "systemd-socket-proxyd" "answer nothing" "$(asked proxyd.sock line) $(asked proxyd.sock shutdown)"
found "ncat --listen --sh-exec" "answer nothing" "$(asked ncat-line.sock line) $(asked ncat.sock shutdown)"
found "ncat as the client" "answer" "$(printf question | unpacked ncat --unixsock server.sock || true)"
verdict
