#!/usr/bin/env bash
# Question:  one side closes a stream of a multiplexed connection; the other one goes on writing to it. What do its writes say?
# Expected:  an error, soon: EPIPE or "closed", as with a socket.
# Found:     nothing. In version 1 of smux's protocol, which is the default, every write succeeds, for ever, also after the writer has
#            read the end of the stream; in version 2 they succeed up to the window (256 KiB), and then wait for ever, unless there is a
#            deadline. The closer cannot read what comes, so it is no half-close either: it is thrown away.
# Version:   github.com/xtaci/smux v1.5.58.
# Source:    smux, stream.go, Close and writeV2, session.go, recvLoop (cmdFIN).
# For you:   whoever carries afunix connections in such streams has each request answered, and sets write deadlines. A Conn of
#            afunix says EPIPE.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

cat >main.go <<'GO'
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"

	"github.com/xtaci/smux"
)

// closed gives what the reader and the writer see once the reader has closed its end.
func closed(name string, reader, writer net.Conn) {
	must(reader.Close())
	if _, err := writer.Read(make([]byte, 1)); err != io.EOF {
		log.Fatal(err)
	}
	must(writer.SetWriteDeadline(time.Now().Add(3 * time.Second)))
	written := 0
	for written < 4<<20 {
		n, err := writer.Write(make([]byte, 1024))
		written += n
		if err != nil {
			fmt.Printf("%s: %d KiB, then timeout: %v\n", name, written>>10, timeout(err))
			return
		}
	}
	fmt.Printf("%s: %d KiB written, no error\n", name, written>>10)
}

func timeout(err error) bool {
	var e net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &e) && e.Timeout()
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func pair() (net.Conn, net.Conn) {
	listener, err := net.Listen("unix", "smux.sock")
	must(err)
	defer listener.Close()
	client, err := net.Dial("unix", "smux.sock")
	must(err)
	server, err := listener.Accept()
	must(err)
	return client, server
}

func main() {
	a, b := pair()
	must(a.Close())
	for err := error(nil); err == nil; {
		if _, err = b.Write(make([]byte, 1024)); err != nil {
			fmt.Println("a unix socket:", errors.Unwrap(errors.Unwrap(err)))
		}
	}
	for version := 1; version <= 2; version++ {
		config := smux.DefaultConfig()
		config.Version = version
		a, b := pair()
		client, err := smux.Client(a, config)
		must(err)
		server, err := smux.Server(b, config)
		must(err)
		reader, err := client.OpenStream()
		must(err)
		writer, err := server.AcceptStream()
		must(err)
		closed(fmt.Sprint("smux ", version), reader, writer)
		_, err = reader.Read(make([]byte, 1))
		fmt.Printf("smux %d, the closer reads: %v\n", version, err)
	}
}
GO
go_program github.com/xtaci/smux@v1.5.58
timeout 30 ./program >seen
found "a closed unix socket, written to" "broken pipe" "$(sed -n 's/^a unix socket: //p' seen)"
found "a closed stream, version 1" "4096 KiB written, no error" "$(sed -n 's/^smux 1: //p' seen)"
found "a closed stream, version 2" "256 KiB, then timeout: true" "$(sed -n 's/^smux 2: //p' seen)"
found "reads of the closer" "io: read/write on closed pipe / io: read/write on closed pipe" \
	"$(sed -n 's/.*reads: //p' seen | paste -sd / | sed 's:/io: / io:')"
verdict
