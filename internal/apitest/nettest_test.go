package apitest

import (
	"errors"
	"net"
	"testing"

	"afunix"

	"golang.org/x/net/nettest"
)

// TestNetConn holds stream connections to what net.Conn promises.
func TestNetConn(t *testing.T) {
	eachPassing(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		t.Run("pair", func(t *testing.T) {
			nettest.TestConn(t, func() (a, b net.Conn, stop func(), err error) {
				x, y, err := tr.Pair(network)
				if err != nil {
					return nil, nil, nil, err
				}
				return x, y, func() { x.Close(); y.Close() }, nil
			})
		})
		t.Run("dialled", func(t *testing.T) {
			nettest.TestConn(t, func() (a, b net.Conn, stop func(), err error) {
				x, y := connect(t, tr, network)
				return x, y, func() { x.Close(); y.Close() }, nil
			})
		})
		t.Run("passed", func(t *testing.T) {
			over, from := pair(t, tr, network)
			nettest.TestConn(t, func() (a, b net.Conn, stop func(), err error) {
				x, y := connect(t, tr, network)
				passed := pass(t, over, from, x)[0]
				return passed, y, func() { passed.Close(); y.Close() }, nil
			})
		})
	})
}

// pass sends ends over a connection, closes them here, if they are still open, and returns what
// comes out at its other end.
func pass(t *testing.T, over, from *afunix.Conn, ends ...*afunix.Conn) (passed []*afunix.Conn) {
	t.Helper()
	files := make([]afunix.Sendable, len(ends))
	for i := range ends {
		files[i] = ends[i]
	}
	mustWriteMsg(t, over, "take", files...)
	for _, e := range ends {
		if err := e.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
	}
	r := mustReadMsg(t, from, "take", len(ends)).Rights
	for i := range ends {
		c, err := r.Conn(i)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c.(*afunix.Conn))
		passed = append(passed, c.(*afunix.Conn))
	}
	return passed
}
