package endpoint_test

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// An end that was sent over itself has come out at its peer, but is still its former owner's until he says that he reads it no more.

// A deaf pipe does not bring that word until it is told to, or never, because the process at its other end is dead.
type deaf struct {
	pipe.Pipe
	hears, dead chan struct{} // closed when it is so
}

func (d *deaf) Read(pool *sync.Pool, into []byte) (buf *pipe.Buffer, n, placed int, err error) {
	for {
		buf, n, placed, err = d.Pipe.Read(pool, into)
		if err != nil || wire.Type(buf[0]) != wire.Move || buf[1]&wire.Gone == 0 {
			return buf, n, placed, err
		}
		select {
		case <-d.hears:
			return buf, n, placed, nil
		case <-d.dead:
			pool.Put(buf)
		}
	}
}

func (d *deaf) Pull(theirs uint64) (uintptr, error) {
	select {
	case <-d.dead:
		return 0, syscall.ESRCH
	default:
		return d.Pipe.Pull(theirs)
	}
}

// throughItself sends ends over a connection: the connection itself, and what else made returns. It returns those that have come out, and the
// connection's other end with its pipe.
func throughItself(t *testing.T, made func(itself *endpoint.Conn) []any) (ends []any, far *endpoint.Conn, pipe *deaf) {
	t.Helper()
	cfg, _ := moving(sock.Stream)
	x, y, err := newPair()
	if err != nil {
		t.Fatal(err)
	}
	pipe = &deaf{Pipe: y, hears: make(chan struct{}), dead: make(chan struct{})}
	near, far := paired(t, cfg, x, pipe)
	t.Cleanup(func() { // before the two are closed
		select {
		case <-pipe.hears:
		case <-pipe.dead:
		default:
			close(pipe.hears)
		}
	})
	var files []transport.File
	for _, e := range made(near) {
		files = append(files, transport.File{End: e})
	}
	sent := start(func() (int, error) { return near.Send([]byte("m"), files, nil) })
	set := recv(t, far, "m", len(files))
	for i := range files {
		err := set.Give(i, func(_ uintptr, _ descriptor.Kind, e descriptor.End) error { ends = append(ends, e); return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	if o := <-sent; o.err != nil {
		t.Fatal(o.err)
	}
	return ends, far, pipe
}

func TestAnEndThatHasPassedThroughItselfIsPassedOn(t *testing.T) {
	testenv.NeedPipeRights(t)
	kinds := map[string]func(t *testing.T) any{
		"itself": func(*testing.T) any { return nil },
		"a listener": func(t *testing.T) any {
			cfg, _ := moving(sock.Stream)
			l, _ := listening(t, cfg)
			return l
		},
		"a datagram socket": func(t *testing.T) any {
			cfg, _ := moving(sock.Datagram)
			s, _ := bound(t, cfg)
			return s
		},
	}
	cfg, _ := moving(sock.Stream)
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			set := func(t *testing.T) (end any, far *endpoint.Conn, pipe *deaf) {
				ends, far, pipe := throughItself(t, func(itself *endpoint.Conn) []any {
					if other := kind(t); other != nil {
						return []any{other, itself}
					}
					return []any{itself}
				})
				for _, e := range ends {
					t.Cleanup(func() { e.(descriptor.End).Close() })
				}
				return ends[0], far, pipe
			}
			t.Run("when its former owner has let go", func(t *testing.T) {
				end, far, pipe := set(t)
				carrier, other := pairOf(t, cfg)
				sent := start(func() (int, error) { return carrier.Send([]byte("m"), []transport.File{{End: end}}, nil) })
				time.AfterFunc(50*time.Millisecond, func() { close(pipe.hears) })
				got := recv(t, other, "m", 1)
				if o := <-sent; o.err != nil {
					t.Fatal(o.err)
				}
				got.Give(0, func(_ uintptr, _ descriptor.Kind, e descriptor.End) error { end = e; return nil })
				t.Cleanup(func() { end.(descriptor.End).Close() })
				if c, ok := end.(*endpoint.Conn); ok {
					c.SetDeadline(time.Now().Add(5 * time.Second))
					exchange(t, c, far)
				}
			})
			t.Run("when its former owner is dead", func(t *testing.T) {
				end, _, pipe := set(t)
				carrier, other := pairOf(t, cfg)
				close(pipe.dead)
				if err := soon(t, "the move", func() error { return move(carrier, end) }); err != nil {
					t.Fatal(err)
				}
				recv(t, other, "m", 1).Close()
			})
			t.Run("not after the deadline", func(t *testing.T) {
				end, far, pipe := set(t)
				carrier, _ := pairOf(t, cfg)
				carrier.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
				if err := soon(t, "the move", func() error { return move(carrier, end) }); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("%v, want %v", err, os.ErrDeadlineExceeded)
				}
				close(pipe.hears)
				if c, ok := end.(*endpoint.Conn); ok { // it has stayed
					c.SetDeadline(time.Now().Add(5 * time.Second))
					exchange(t, c, far)
				}
			})
			t.Run("not after Close", func(t *testing.T) {
				end, _, _ := set(t)
				carrier, _ := pairOf(t, cfg)
				time.AfterFunc(50*time.Millisecond, func() { end.(descriptor.End).Close() })
				if err := soon(t, "the move", func() error { return move(carrier, end) }); !errors.Is(err, syscall.EBADF) {
					t.Fatalf("%v, want EBADF", err)
				}
			})
		})
	}
}
