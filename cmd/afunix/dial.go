package main

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
	"time"

	"afunix"

	"github.com/spf13/cobra"
)

// dialOptions say how to connect.
type dialOptions struct {
	transport afunix.Transport
	wait      time.Duration // for somebody to listen; 0 means not at all
}

// addDialFlags gives cmd the flags of whoever connects, which are returned as they are when the command runs.
func addDialFlags(cmd *cobra.Command) func() dialOptions {
	transport := addTransport(cmd, transportUsage)
	wait := cmd.Flags().Duration("wait", 0, "try for `TIME` (10s, 2m) to connect, until somebody listens at ADDR")
	return func() dialOptions { return dialOptions{transport.Transport, *wait} }
}

// retryInterval is how often to try again to connect.
const retryInterval = 20 * time.Millisecond

// dial connects to the address.
func (o dialOptions) dial(ctx context.Context, addr string) (*afunix.Conn, error) {
	patience, cancel := context.WithTimeout(ctx, o.wait)
	defer cancel()
	again := time.NewTicker(retryInterval)
	defer again.Stop()
	for {
		c, err := (&afunix.Dialer{Transport: o.transport}).DialContext(ctx, "unix", addr)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
			return c, explain(err, addr)
		}
		select {
		case <-again.C:
		case <-patience.Done():
		}
		if patience.Err() != nil {
			return nil, explain(err, addr)
		}
	}
}
