#!/usr/bin/env bash
# Question:  a server wraps its UDP socket in a type of its own that embeds *net.UDPConn, as a restart library does, and gives that to
#            golang.org/x/net/ipv4. Which methods work?
# Expected:  all of them: NewPacketConn takes any net.PacketConn, and finds SyscallConn and the rest by interface.
# Found:     ReadBatch and the options do. ReadFrom and WriteTo return "invalid conn type": on Unix they look at the type itself, and
#            know *net.UDPConn and *net.IPConn alone.
# Version:   golang.org/x/net v0.62.0.
# Source:    x/net, ipv4/payload_cmsg.go, payloadHandler.ReadFrom and WriteTo; internal/socket/rawconn.go, NewConn.
# For you:   with a packet connection of afunix/upgrade use ReadBatch and WriteBatch.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

cat >main.go <<'GO'
package main

import (
	"fmt"
	"log"
	"net"
	"time"

	"golang.org/x/net/ipv4"
)

type wrapped struct{ *net.UDPConn }

func main() {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		log.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	for range 2 {
		if _, err := conn.WriteTo([]byte("x"), conn.LocalAddr()); err != nil {
			log.Fatal(err)
		}
	}
	p := ipv4.NewPacketConn(wrapped{conn})
	fmt.Print("SetTTL ", p.SetTTL(4))
	_, _, _, err = p.ReadFrom(make([]byte, 1))
	fmt.Print(", ReadFrom ", err)
	n, err := p.ReadBatch([]ipv4.Message{{Buffers: [][]byte{make([]byte, 1)}}}, 0)
	fmt.Println(", ReadBatch", n, err)
}
GO
go_program golang.org/x/net@v0.62.0
found "by a wrapper" "SetTTL <nil>, ReadFrom invalid conn type, ReadBatch 1 <nil>" \
	"$(timeout 20 ./program | sed 's/ReadFrom .*invalid/ReadFrom invalid/')"
verdict
