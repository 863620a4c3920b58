package net_test

import (
	stdnet "net"
	"testing"
)

func stdConn(t *testing.T, _ string) *stdnet.UnixConn {
	t.Fatal("there are no pairs of the kernel's")
	return nil
}
