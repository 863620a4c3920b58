#!/usr/bin/env bash
# Question:  a datagram server in PHP (stream_socket_server with "udg://") gets the sender's address from stream_socket_recvfrom. Does
#            stream_socket_sendto answer to it?
# Expected:  yes, as with "udp://".
# Found:     no: it wants "host:port", and takes no path in any form, so that such a server can never answer. A client that is
#            connected may send, and an answer from ext/sockets' socket_sendto arrives.
# Version:   php8.2-cli 8.2.36-1~deb12u1.
# Source:    php-src, ext/standard/streamsfuncs.c, stream_socket_sendto; main/network.c,
#            php_network_parse_network_address_with_port.
# For you:   a Go client waits for nothing: give the exchange a deadline, or have the PHP side use ext/sockets.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

debian php8.2-cli=8.2.36-1~deb12u1 php8.2-common=8.2.36-1~deb12u1 \
	libargon2-1=0~20171227-0.3+deb12u1 libsodium23=1.0.18-1+deb12u1 libxml2=2.9.14+dfsg-1.3~deb12u6
cat >server.php <<'PHP'
<?php
$server = stream_socket_server("udg://server.sock", $code, $message, STREAM_SERVER_BIND);
stream_set_timeout($server, 10);
stream_socket_recvfrom($server, 100, 0, $from);
echo "from $from\n";
foreach ([$from, "udg://$from", "unix://$from", realpath($from), "udg://" . realpath($from)] as $to) {
	echo @stream_socket_sendto($server, "answer", 0, $to) === false ? "refused\n" : "sent\n";
}
$udp = stream_socket_server("udp://127.0.0.1:0", $code, $message, STREAM_SERVER_BIND);
$client = stream_socket_client("udp://" . stream_socket_get_name($udp, false));
fwrite($client, "question");
stream_socket_recvfrom($udp, 100, 0, $from);
echo stream_socket_sendto($udp, "answer", 0, $from) === false ? "refused\n" : "sent\n";
$socket = socket_create(AF_UNIX, SOCK_DGRAM, 0);
echo socket_sendto($socket, "answer", 6, 0, "client.sock") === false ? "refused\n" : "sent\n";
PHP
cat >client.py <<'PY'
import os, socket, time
client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
client.bind("client.sock")
for _ in range(200):
    try:
        client.sendto(b"question", "server.sock")
        break
    except OSError:
        time.sleep(0.05)
client.settimeout(10)
print(client.recv(100).decode(), file=open("answered", "w"))
PY
start python3 client.py
there client.sock
unpacked php8.2 -n -d extension_dir="$(echo "$folder"/tree/usr/lib/php/2*)" -d extension=sockets.so server.php >seen
there answered
found "the sender" "from client.sock" "$(sed -n 1p seen)"
found "an answer, five spellings" "refused refused refused refused refused" "$(sed -n 2,6p seen | paste -sd ' ')"
found "over UDP" "sent" "$(sed -n 7p seen)"
found "by ext/sockets" "sent" "$(sed -n 8p seen)"
verdict
