//go:build afunix_pipe

package net

import (
	"net"
	"os"
)

func fileConn(f *os.File) (Conn, error)             { return net.FileConn(f) }
func filePacketConn(f *os.File) (PacketConn, error) { return net.FilePacketConn(f) }
func fileListener(f *os.File) (Listener, error)     { return net.FileListener(f) }
