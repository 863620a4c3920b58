package endpoint_test

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/sock"
)

// blocked are the calls of a connection that can wait, each in a state in which it does.
var blocked = map[string]func(t *testing.T, r *rig) <-chan outcome{
	"read": func(_ *testing.T, r *rig) <-chan outcome {
		return start(func() (int, error) { return r.client.Read(make([]byte, 9)) })
	},
	"read that has the pipe": func(_ *testing.T, r *rig) <-chan outcome {
		r.resting(r.client, r.server)
		return start(func() (int, error) { return r.client.Read(make([]byte, 9)) })
	},
	"peek": func(_ *testing.T, r *rig) <-chan outcome {
		return start(func() (int, error) { _, err := r.client.Recv(make([]byte, 9), true); return 0, err })
	},
	"write to a full window": func(_ *testing.T, r *rig) <-chan outcome {
		return start(func() (int, error) { return r.client.Write(make([]byte, 4<<20)) })
	},
	"write that has the pipe": func(_ *testing.T, r *rig) <-chan outcome {
		r.resting(r.client, r.server)
		return start(func() (int, error) { return r.client.Write(make([]byte, 4<<20)) })
	},
	"write to a full pipe": func(t *testing.T, r *rig) <-chan outcome {
		r.serverPipe.hold()
		r.serverPipe.limit(1)
		send(t, r.client, "fills the pipe")
		return start(func() (int, error) { return r.client.Write([]byte("x")) })
	},
	"send of descriptors to a full pipe": func(t *testing.T, r *rig) <-chan outcome {
		r.serverPipe.hold()
		r.serverPipe.limit(1)
		send(t, r.client, "fills the pipe")
		files := r.open(r.clientProc, descriptor.File, 3)
		return start(func() (int, error) { return r.client.Send([]byte("x"), files, nil) })
	},
	"send that is not acknowledged": func(_ *testing.T, r *rig) <-chan outcome {
		r.serverPipe.hold()
		files := r.open(r.clientProc, descriptor.File, 3)
		return start(func() (int, error) { return r.client.Send([]byte("x"), files, nil) })
	},
	"send that has the pipe": func(_ *testing.T, r *rig) <-chan outcome {
		r.resting(r.client, r.server)
		r.serverPipe.hold()
		files := r.open(r.clientProc, descriptor.File, 3)
		return start(func() (int, error) { return r.client.Send([]byte("x"), files, nil) })
	},
}

func TestCloseEndsABlockedCall(t *testing.T) {
	for name, call := range blocked {
		t.Run(name, func(t *testing.T) {
			bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
				done := call(t, r)
				r.pending(done, name)
				if err := r.client.Close(); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				select {
				case o := <-done:
					if o.err != net.ErrClosed {
						t.Errorf("%+v, want net.ErrClosed", o)
					}
				default:
					t.Fatal("it waits still")
				}
				if err := r.client.Close(); err != net.ErrClosed {
					t.Errorf("a second Close: %v", err)
				}
			})
		})
	}
}

func TestPeerCloseEndsABlockedCall(t *testing.T) {
	for name, call := range blocked {
		t.Run(name, func(t *testing.T) {
			bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
				done := call(t, r)
				r.pending(done, name)
				r.server.Close()
				r.serverPipe.letGo()
				if o := <-done; o.err == nil || o.at > time.Minute {
					t.Errorf("%+v", o)
				}
			})
		})
	}
}

// A deadline ends a blocked call at its time, whether it was set before the call or meanwhile, and
// also if it was moved there from later, or set in the past.
func TestDeadlineEndsABlockedCall(t *testing.T) {
	for name, call := range blocked {
		for how, move := range map[string]func(*endpoint.Conn, time.Time){
			"set meanwhile":  func(c *endpoint.Conn, at time.Time) { c.SetDeadline(at) },
			"moved forward":  func(c *endpoint.Conn, at time.Time) { c.SetDeadline(at.Add(time.Minute)); c.SetDeadline(at) },
			"moved backward": func(c *endpoint.Conn, at time.Time) { c.SetDeadline(at.Add(-time.Second / 2)); c.SetDeadline(at) },
			"taken away and set": func(c *endpoint.Conn, at time.Time) {
				c.SetDeadline(at.Add(-time.Second / 2))
				c.SetDeadline(time.Time{})
				c.SetDeadline(at)
			},
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
					done := call(t, r)
					r.pending(done, name)
					begin := time.Now()
					move(r.client, begin.Add(time.Second))
					o := <-done
					if took := time.Since(begin); o.err != os.ErrDeadlineExceeded || took != time.Second {
						t.Errorf("%+v, after %v", o, took)
					}
					r.client.SetDeadline(begin) // long ago
					if _, err := r.client.Read(make([]byte, 9)); err != os.ErrDeadlineExceeded {
						t.Errorf("read: %v", err)
					}
					if _, err := r.client.Read(nil); err != nil { // as in package net
						t.Errorf("read of nothing: %v", err)
					}
					if _, err := r.client.Write([]byte("x")); err != os.ErrDeadlineExceeded {
						t.Errorf("write: %v", err)
					}
					if _, err := r.client.Write(nil); err != os.ErrDeadlineExceeded {
						t.Errorf("write of nothing: %v", err)
					}
				})
			})
		}
	}
}

// After Close every call says net.ErrClosed.
func TestEveryCallOfAClosedConnection(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		c := r.client
		c.Close()
		files := r.open(r.clientProc, descriptor.File, 1)
		for name, f := range map[string]func() error{
			"Read":               func() error { _, err := c.Read(make([]byte, 1)); return err },
			"Read of nothing":    func() error { _, err := c.Read(nil); return err },
			"Recv":               func() error { _, err := c.Recv(make([]byte, 1), false); return err },
			"Write":              func() error { _, err := c.Write(make([]byte, 1)); return err },
			"Write of nothing":   func() error { _, err := c.Write(nil); return err },
			"Send":               func() error { _, err := c.Send(make([]byte, 1), files, nil); return err },
			"CloseRead":          c.CloseRead,
			"CloseWrite":         c.CloseWrite,
			"SetDeadline":        func() error { return c.SetDeadline(time.Time{}) },
			"SetReadDeadline":    func() error { return c.SetReadDeadline(time.Time{}) },
			"SetWriteDeadline":   func() error { return c.SetWriteDeadline(time.Time{}) },
			"SetReadBuffer":      func() error { return c.SetReadBuffer(9) },
			"SetWriteBuffer":     func() error { return c.SetWriteBuffer(9) },
			"SetPassCredentials": func() error { return c.SetPassCredentials(true) },
		} {
			if err := f(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// On the real pipes: Close while a call waits.
func TestCloseEndsABlockedCallOnTheRealPipe(t *testing.T) {
	for name, call := range map[string]func(c *endpoint.Conn) error{
		"read":  func(c *endpoint.Conn) error { _, err := c.Read(make([]byte, 9)); return err },
		"write": func(c *endpoint.Conn) error { _, err := c.Write(make([]byte, 8<<20)); return err },
	} {
		t.Run(name, func(t *testing.T) {
			server, client := dialled(t, sock.Stream)
			if name == "read" { // so that it is likely to wait by now
				go client.Write([]byte("x"))
				full(t, server, 1)
			}
			started, done := make(chan bool), make(chan error, 1)
			go func() { close(started); done <- call(server) }()
			<-started
			if err := server.Close(); err != nil {
				t.Error(err)
			}
			select {
			case err := <-done:
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("%v, want net.ErrClosed", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it waits still")
			}
		})
	}
}

// A reader that has no deadline is never told of one.
func TestReadAfterExport(t *testing.T) {
	bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
		r.left = 1
		r.clientPipe.hold()
		r.clientPipe.limit(1)
		send(t, r.server, "fills the pipe")
		r.server.SetWriteDeadline(time.Now().Add(time.Second))
		r.server.Send([]byte("x"), r.open(r.serverProc, descriptor.Stream, 1), nil)
		synctest.Wait()
		if _, err := r.server.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		r.clientPipe.limit(0)
		r.clientPipe.letGo()
	})
}
