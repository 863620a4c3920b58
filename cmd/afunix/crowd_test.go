package main

import (
	"context"
	"time"

	"afunix"

	"github.com/rogpeppe/go-internal/testscript"
)

// crowd TRANSPORT FILE listens, with as many clients waiting as there is room for. A little later
// these clients are let in, and so are others that come. With ! nobody is let in.
func crowd(ts *testscript.TestScript, neg bool, args []string) {
	var transport transportFlag
	ts.Check(transport.Set(args[0]))
	path := ts.MkAbs(args[1])
	lc := afunix.ListenConfig{Transport: transport.Transport, Backlog: 1}
	l, err := lc.Listen(context.Background(), "unix", path)
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	for range 1 + lc.Backlog { // one more fits
		c, err := (&afunix.Dialer{Transport: transport.Transport}).DialContext(context.Background(), "unix", path)
		ts.Check(err)
		ts.Defer(func() { c.Close() })
	}
	if neg {
		return
	}
	time.AfterFunc(300*time.Millisecond, func() {
		for {
			c, err := l.AcceptConn()
			if err != nil {
				return
			}
			defer c.Close()
		}
	})
}
