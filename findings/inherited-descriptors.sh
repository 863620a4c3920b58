#!/usr/bin/env bash
# Question:  a program receives a descriptor, and starts a child. Has the child the descriptor, too?
# Expected:  no: Node and Go make everything close-on-exec, and so do their libraries for descriptor passing.
# Found:     usocket's received descriptors and its own sockets are inherited, and so is a socket of node-unix-socket, and what gVisor's
#            unet received. (unix-dgram and unix-socketpair set close-on-exec.)
# Version:   usocket 1.1.0 and node-unix-socket 0.2.7 (npm), with the Node that is installed; gvisor.dev/gvisor
#            v0.0.0-20260905035102-160fafc42237, pkg/unet.
# Source:    usocket, src/uwrap.cc (recvmsg without MSG_CMSG_CLOEXEC, socket without SOCK_CLOEXEC); node-unix-socket, js/dgram.js and its
#            native module; gVisor, pkg/unet/unet_unsafe.go, SocketReader.ReadVec; recvmsg(2), "MSG_CMSG_CLOEXEC".
# For you:   what you have sent to such a program stays open in its children after it has closed it: no end of file for the other side
#            of a pipe, EADDRINUSE for a listener. afunix sets close-on-exec.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

npm_packages usocket@1.1.0 node-unix-socket@0.2.7
# The child tells what it has beside its standard descriptors.
cat >receiver.js <<'JS'
const {spawnSync} = require('child_process');
const child = "import os\nfor f in range(3, 200):\n try: print(os.readlink('/proc/self/fd/%d' % f).split('[')[0])\n except OSError: pass";
const inherited = () => spawnSync('python3', ['-c', child], {encoding: 'utf8'}).stdout.trim().split('\n').sort().join(' ');
console.log('node:', inherited());
const {DgramSocket} = require('node-unix-socket');
const datagrams = new DgramSocket();
datagrams.bind('d.sock');
console.log('node-unix-socket:', inherited());
datagrams.close();
const {USocket} = require('usocket');
const client = new USocket();
client.on('connected', () => {
	client.on('readable', () => {
		const message = client.read(1, 1);
		if (message) {
			console.log('usocket:', inherited());
			process.exit();
		}
	});
	client.read(0);
});
client.connect({path: process.cwd() + '/s.sock'});
setTimeout(() => process.exit(), 10000);
JS
timeout 20 python3 -c '
import os, socket, time
listener = socket.socket(socket.AF_UNIX)
listener.bind("s.sock")
listener.listen(1)
conn, _ = listener.accept()
socket.send_fds(conn, [b"x"], [os.open("/dev/null", os.O_RDONLY)])
conn.recv(1)' &
there s.sock
said=$(timeout 20 node receiver.js | paste -sd ';')
found "a child of Node has" "node: ;node-unix-socket: socket:;usocket: /dev/null socket:" "$said"

cat >main.go <<'GO'
package main

import (
	"fmt"
	"log"
	"os"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/unet"
)

func main() {
	sender, receiver, err := unet.SocketPair(false)
	if err != nil {
		log.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		log.Fatal(err)
	}
	if err := unix.Sendmsg(sender.FD(), []byte("x"), unix.UnixRights(int(null.Fd())), nil, 0); err != nil {
		log.Fatal(err)
	}
	reader := receiver.Reader(true)
	reader.EnableFDs(1)
	if _, err := reader.ReadVec([][]byte{make([]byte, 1)}); err != nil {
		log.Fatal(err)
	}
	fds, err := reader.ExtractFDs()
	if err != nil {
		log.Fatal(err)
	}
	flags, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFD, 0)
	fmt.Println(flags&unix.FD_CLOEXEC != 0, err)
}
GO
go_program gvisor.dev/gvisor@v0.0.0-20260905035102-160fafc42237
found "received by unet, close-on-exec" "false <nil>" "$(timeout 20 ./program)"
verdict
