#!/usr/bin/env bash
# Question:  net.FilePacketConn gets a unix socket that is a stream or a listener. What does it say?
# Expected:  an error, as it says of TCP (EINVAL); so that a program can find out what it was passed by trying.
# Found:     nothing: any socket of AF_UNIX becomes a net.PacketConn, and net.FileListener takes datagram sockets as well. That they are
#            none is seen at the first use. So Listeners of go-systemd has no nil in the place of a datagram socket if that is a local one,
#            but a listener whose Accept fails, and PacketConns gives the local listeners too.
# Version:   Go 1.26, github.com/coreos/go-systemd/v22 v22.6.0.
# Source:    net/file_unix.go, filePacketConn and fileListener (they look at the family of the address alone);
#            go-systemd, activation/listeners.go and packetconns.go.
# For you:   ask a descriptor for SO_TYPE and SO_ACCEPTCONN first. Conn, Listener and PacketConn of afunix's Rights do, and refuse what
#            is none.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

cat >main.go <<'GO'
package main

import (
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// cause names the errno that is at the bottom of err.
func cause(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return fmt.Sprint(err)
}

type filer interface{ File() (*os.File, error) }

// activated is the program that is passed the four sockets.
func activated(packets bool) {
	var types []string
	if packets {
		for _, c := range must(activation.PacketConns()) {
			types = append(types, fmt.Sprintf("%T", c))
		}
		fmt.Println("PacketConns:", strings.Join(types, " "))
		return
	}
	listeners := must(activation.Listeners())
	for _, l := range listeners {
		types = append(types, fmt.Sprintf("%T", l))
	}
	fmt.Println("Listeners:", strings.Join(types, " "))
	_, err := listeners[1].Accept()
	fmt.Println("Accept of the datagram socket:", cause(err))
}

func main() {
	if os.Getenv("LISTEN_FDS") != "" {
		activated(len(os.Args) > 1)
		return
	}
	stream := must(must(net.Listen("unix", "stream.sock")).(filer).File())
	datagram := must(must(net.ListenPacket("unixgram", "datagram.sock")).(filer).File())
	tcp := must(must(net.Listen("tcp", "127.0.0.1:0")).(filer).File())
	udp := must(must(net.ListenPacket("udp", "127.0.0.1:0")).(filer).File())
	for _, f := range []*os.File{stream, tcp} {
		c, err := net.FilePacketConn(f)
		fmt.Printf("FilePacketConn of a %s listener: %T, %s\n", map[bool]string{true: "unix", false: "TCP"}[f == stream], c, cause(err))
		if err == nil {
			_, _, err = c.ReadFrom(make([]byte, 1))
			fmt.Println("ReadFrom of it:", cause(err))
		}
	}
	// LISTEN_PID has to be the program's own.
	for _, command := range []string{`LISTEN_PID=$$ exec "$0"`, `LISTEN_PID=$$ exec "$0" packets`} {
		cmd := exec.Command("sh", "-c", command, must(os.Executable()))
		cmd.Env = append(os.Environ(), "LISTEN_FDS=4")
		cmd.ExtraFiles = []*os.File{stream, datagram, tcp, udp}
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		must(0, cmd.Run())
	}
}
GO
go_program github.com/coreos/go-systemd/v22@v22.6.0
timeout 20 ./program >seen
said() {
	sed -n "s/^$1: //p" seen
}
found "FilePacketConn of a TCP listener" "<nil>, invalid argument" "$(said 'FilePacketConn of a TCP listener')"
found "FilePacketConn of a unix listener" "*net.UnixConn, <nil>" "$(said 'FilePacketConn of a unix listener')"
found "ReadFrom of it" "invalid argument" "$(said 'ReadFrom of it')"
found "go-systemd's Listeners of unix stream, unix datagram, TCP, UDP" "*net.UnixListener *net.UnixListener *net.TCPListener <nil>" \
	"$(said Listeners)"
found "its PacketConns of the same" "*net.UnixConn *net.UnixConn <nil> *net.UDPConn" "$(said PacketConns)"
found "Accept of the datagram socket" "operation not supported" "$(said 'Accept of the datagram socket')"
verdict
