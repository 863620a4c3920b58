package main

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
	"time"

	"afunix"
	"afunix/internal/lookalike"

	"github.com/spf13/cobra"
)

// dialOptions say how to connect.
type dialOptions struct {
	transport afunix.Transport
	wait      time.Duration // for somebody to listen and have room; 0 means not at all
}

// addDialFlags gives cmd the flags for connecting. The returned function gives their values when
// the command runs.
func addDialFlags(cmd *cobra.Command) func() dialOptions {
	transport := addTransport(cmd, transportUsage)
	wait := new(time.Duration)
	cmd.Flags().Var((*spanFlag)(wait), "wait",
		"try for `TIME` (10s, 2m) to connect, until somebody listens at ADDR and has room")
	return func() dialOptions { return dialOptions{transport.Transport, *wait} }
}

// retryInterval is how often to try again to connect.
const retryInterval = 20 * time.Millisecond

// dial connects to the address.
func (o dialOptions) dial(ctx context.Context, addr string) (*afunix.Conn, error) {
	patience, cancel := context.WithTimeout(ctx, o.wait)
	defer cancel()
	if o.wait > 0 {
		ctx = patience
	}
	again := time.NewTicker(retryInterval)
	defer again.Stop()
	var last error // that is worth another try
	for {
		c, err := (&afunix.Dialer{Transport: o.transport}).DialContext(ctx, "unix", addr)
		if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, syscall.EAGAIN) && last != nil {
			err = last // says more than that time was up
		}
		if !mayPass(err) {
			return c, explain(err, addr)
		}
		last = err
		select {
		case <-again.C:
		case <-patience.Done():
		}
		if patience.Err() != nil {
			return nil, explain(err, addr)
		}
	}
}

// mayPass reports whether an error is one of now: nobody listens yet. (For room in the backlog
// DialContext waits by itself.)
func mayPass(err error) bool {
	if errors.As(err, new(*lookalike.Error)) {
		return false
	}
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}
