package net_test

import (
	stdnet "net"
	"testing"
)

const soType = 0x1008 // SO_TYPE (winsock2.h)

func stdConn(t *testing.T, _ string) *stdnet.UnixConn {
	t.Fatal("there are no pairs of the kernel's")
	return nil
}
