package apitest

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
)

// A dial has succeeded even if the server closes at once what it has accepted.
func TestDialOfWhoClosesAtOnce(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		l := listen(t, tr, network, path)
		for range 50 {
			accepted := make(chan error, 1)
			go func() {
				c, err := l.AcceptConn()
				if err == nil {
					err = c.Close()
				}
				accepted <- err
			}()
			c, err := (&afunix.Dialer{Transport: tr}).DialContext(t.Context(), network, path)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			if err := <-accepted; err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestDialOfAnotherType(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		listen(t, tr, network, path)
		for _, other := range all {
			err := dialAttempt(t, tr, other, path)
			if other != network && !errors.Is(err, syscall.EPROTOTYPE) && !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s to %s: %v; want EPROTOTYPE", other, network, err)
			}
		}
	})
}

// Whatever is at the address, the error is package net's.
func TestDialEndsWithItsContext(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		path := taken(t, tr, network)
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		for _, address := range []string{path, path + "missing"} {
			for _, test := range []struct {
				ctx     context.Context
				timeout time.Duration
				is      error
				text    string
			}{
				{canceled, 0, context.Canceled, "operation was canceled"},
				{t.Context(), -time.Second, context.DeadlineExceeded, "i/o timeout"},
			} {
				d := afunix.Dialer{Transport: tr, Timeout: test.timeout}
				c, err := d.DialContext(test.ctx, network, address)
				var e net.Error
				if !errors.Is(err, test.is) || !errors.As(err, &e) || e.Timeout() != (test.timeout != 0) || !strings.HasSuffix(err.Error(), test.text) {
					t.Errorf("%v, %v; want %q", c, err, test.text)
				}
			}
		}
	})
}
