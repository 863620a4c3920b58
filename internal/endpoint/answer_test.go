package endpoint_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/endpoint"
	"afunix/internal/sock"
)

// Whoever dials a process that says nothing, because it is suspended or no peer of ours, does not
// wait for ever; one that takes its time is waited for.
func TestDialOfWhoeverSaysNothing(t *testing.T) {
	for _, test := range []struct {
		after time.Duration // the pipe is accepted
		want  error
	}{
		{50 * time.Second, nil},
		{2 * time.Minute, syscall.ETIMEDOUT},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, sock.Stream)
			defer r.end()
			r.serverPipe, r.clientPipe = newFakePipe(onWindows, r.serverProc, r.clientProc)
			timer := time.AfterFunc(test.after, func() { r.source.pipes <- r.serverPipe })
			defer timer.Stop()
			c, err := endpoint.Dial(context.Background(), r.clientPipe, r.config(r.clientProc, sock.Stream))
			if !errors.Is(err, test.want) {
				t.Errorf("accepted after %v: %v; want %v", test.after, err, test.want)
			}
			if err == nil {
				r.client = c
			} else {
				r.serverPipe.Close()
			}
		})
	}
}
