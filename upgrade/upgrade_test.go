package upgrade_test

import (
	"net"
	"testing"

	"afunix/upgrade"
)

func dial(t *testing.T, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(within(t), network, address)
}

func TestSuccessorGoesOnWithAListener(t *testing.T) {
	cfg := upgrade.Config{Address: address(t)}
	first := start(t, cfg)
	l1 := listen(t, first, "echo", "tcp", "127.0.0.1:0")
	greet(t, l1, "first")
	ready(t, first)
	addr := l1.Addr().String()
	if got := greeting(t, "tcp", addr); got != "first" {
		t.Errorf("it says %q", got)
	}

	second := start(t, cfg)
	l2 := listen(t, second, "echo", "tcp", "127.0.0.1:0")
	if got := l2.Addr().String(); got != addr {
		t.Fatalf("the successor listens at %s, not %s", got, addr)
	}
	greet(t, l2, "second")
	if got := greeting(t, "tcp", addr); got != "first" {
		t.Errorf("before the successor is ready it says %q", got)
	}
	ready(t, second)
	expectDone(t, first)
	for range 10 {
		if got := greeting(t, "tcp", addr); got != "second" {
			t.Errorf("it says %q", got)
		}
	}
}
