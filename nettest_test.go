package afunix_test

import (
	"net"
	"testing"

	"afunix"

	"golang.org/x/net/nettest"
)

// TestNetConn holds stream connections to what net.Conn promises.
func TestNetConn(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
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
