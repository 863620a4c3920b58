#!/usr/bin/env bash
# Question:  a peer sends an empty record on a seqpacket socket, and then one more. What do node-unix-socket and mdlayher/socket get?
# Expected:  an empty record (or none), then the other one.
# Found:     the end of the connection. node-unix-socket tells its user 'end' and reads no more; the senders' writes succeed all the
#            same. Recvmsg of mdlayher/socket returns io.EOF for the empty record (and for the real end, where recvmsg(2) says 0), and
#            the next call returns the next record. The kernel says 0 for both, and these two take 0 for the end.
# Version:   node-unix-socket 0.2.7 (npm); github.com/mdlayher/socket v0.8.0.
# Source:    node-unix-socket, js/seqpacket.js, SeqpacketSocket; mdlayher/socket, conn.go, Conn.Recvmsg, and Go's os.File.
# For you:   over "unixpacket", never send an empty record to a peer that you did not write.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

npm_packages node-unix-socket@0.2.7
cat >server.js <<'JS'
const {SeqpacketServer} = require('node-unix-socket');
const server = new SeqpacketServer();
server.on('connection', socket => {
	socket.on('data', data => console.log('data', data.length));
	socket.on('end', () => console.log('end'));
});
server.listen('s.sock');
setTimeout(() => process.exit(), 3000);
JS
timeout 20 node server.js >events &
server=$!
there s.sock
timeout 10 python3 -c '
import socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect("s.sock")
s.send(b"")
s.send(b"after")
time.sleep(1)'
wait "$server"
found "node-unix-socket" "end" "$(paste -sd ' ' events)"

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

func main() {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	if err != nil {
		log.Fatal(err)
	}
	receiver, err := socket.New(fds[0], "receiver")
	if err != nil {
		log.Fatal(err)
	}
	for _, record := range []string{"", "after"} {
		if err := unix.Sendto(fds[1], []byte(record), 0, nil); err != nil {
			log.Fatal(err)
		}
	}
	for range 2 {
		n, _, _, _, err := receiver.Recvmsg(context.Background(), make([]byte, 16), nil, 0)
		fmt.Println(n, err)
	}
}
GO
go_program github.com/mdlayher/socket@v0.8.0
found "mdlayher/socket" "0 EOF, 5 <nil>" "$(timeout 20 ./program | paste -sd , | sed 's/,/, /')"
verdict
