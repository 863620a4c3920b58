package endpoint_test

import (
	"context"
	"errors"
	"io"
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

// Dial gives up when its context does, wherever it waits, and the listener's side forgets it.
func TestDialIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(context.Background())
		_, c := newFakePipe(onLinux, r.serverProc, r.clientProc)
		dialling := start(func() (int, error) {
			_, err := endpoint.Dial(ctx, c, r.config(r.clientProc, sock.Stream))
			return 0, err
		})
		r.pending(dialling, "a dial that nobody answers")
		cancel(cause)
		if o := <-dialling; o.err != cause {
			t.Errorf("%+v", o)
		}
		if !c.isClosed() {
			t.Error("the pipe is open")
		}
		_, c = newFakePipe(onLinux, r.serverProc, r.clientProc)
		ctx, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		if _, err := endpoint.Dial(ctx, c, r.config(r.clientProc, sock.Stream)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

// As in the kernel, who has got in has connected, though the server closes the connection at once.
func TestDialSucceedsThoughTheServerClosesAtOnce(t *testing.T) {
	for range 500 {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, sock.Stream)
			defer r.end()
			accepting := start(func() (int, error) {
				c, err := r.listener.Accept()
				if err == nil {
					err = c.Close()
				}
				return 0, err
			})
			c, err := r.dial(sock.Stream)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if o := <-accepting; o.err != nil {
				t.Fatalf("%+v", o)
			}
			if _, err := c.Read(make([]byte, 9)); err != io.EOF {
				t.Fatalf("%v, want EOF", err)
			}
		})
	}
}
