package endpoint_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/transport"
)

// A watched table calls a function before it closes a descriptor.
type watched struct {
	descriptor.Table
	look atomic.Pointer[func()]
}

func (w *watched) Close(v uintptr, k descriptor.Kind) error {
	if look := w.look.Load(); look != nil {
		(*look)()
	}
	return w.Table.Close(v, k)
}

// What nobody will read is closed when no lock of the socket is held: an end among it has locks of
// its own, and may wait for somebody.
func TestDescriptorsAreClosedUnderNoLock(t *testing.T) {
	testenv.NeedPipeRights(t)
	for _, tt := range []struct {
		name string
		typ  sock.Type
		// prepare returns a socket that has a descriptor in its queue, or something held, and what
		// makes it discard that.
		prepare func(t *testing.T, cfg endpoint.Config, f transport.File) (s transport.Conn, discard func() error)
	}{
		{"closed", sock.Stream, func(t *testing.T, cfg endpoint.Config, f transport.File) (transport.Conn, func() error) {
			a, b := pairOf(t, cfg)
			send(t, a, "x", f)
			return b, b.Close
		}},
		{"the peer of a pair is gone", sock.Datagram, func(t *testing.T, cfg endpoint.Config, f transport.File) (transport.Conn, func() error) {
			a, b := pairOf(t, cfg)
			send(t, a, "x", f)
			a.Close()
			return b, func() error { return refused(b.Write([]byte("x"))) }
		}},
		{"the peer is gone", sock.Datagram, func(t *testing.T, cfg endpoint.Config, f transport.File) (transport.Conn, func() error) {
			peer, name := bound(t, cfg)
			s, err := endpoint.DialPacket(t.Context(), names{}, true, filepath.Join(testenv.TempDir(t), "d"), name, cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			if _, err := peer.Send([]byte("x"), []transport.File{f}, s.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			peer.Close()
			return s, func() error { return refused(s.Write([]byte("x"))) }
		}},
		{"acknowledged", sock.Stream, func(t *testing.T, cfg endpoint.Config, f transport.File) (transport.Conn, func() error) {
			_, s := pairOf(t, cfg)   // the client, whose descriptors are pulled everywhere
			return s, func() error { // the copy that was parked
				_, err := s.Send([]byte("x"), []transport.File{f}, nil)
				return err
			}
		}},
		{"withdrawn", sock.Datagram, func(t *testing.T, cfg endpoint.Config, f transport.File) (transport.Conn, func() error) {
			s, name := bound(t, cfg)
			sender := linked(t, name)
			for range 11 {
				send(t, sender, "x")
			}
			return s, func() error {
				sender.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
				_, err := sender.Send([]byte("held"), []transport.File{f}, nil)
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					return err
				}
				return nil
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table := &watched{Table: descriptor.System}
			file, err := os.CreateTemp(testenv.TempDir(t), "")
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			lent(t, file, func(f transport.File) {
				s, discard := tt.prepare(t, endpoint.Config{Type: tt.typ, Table: table}, f)
				closed := make(chan struct{})
				var once sync.Once
				look := func() {
					defer once.Do(func() { close(closed) })
					free := make(chan struct{})
					go func() {
						defer close(free)
						s.SetReadBuffer(1) // which takes the lock, and nothing else
					}()
					select {
					case <-free:
					case <-time.After(5 * time.Second):
						t.Error("closed under the socket's lock")
					}
				}
				table.look.Store(&look)
				if err := discard(); err != nil {
					t.Error(err)
				}
				select { // a sender that withdraws has its answer first
				case <-closed:
				case <-time.After(5 * time.Second):
					t.Error("nothing has been closed")
				}
			})
		})
	}
}

// refused expects ECONNREFUSED.
func refused(_ int, err error) error {
	if err == syscall.ECONNREFUSED {
		return nil
	}
	return errors.Join(errors.New("not refused"), err)
}
