package endpoint_test

import (
	"errors"
	"io"
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

// An end that was sent over itself has come out at its peer, but is still its former owner's until
// he says that he reads it no more.

// A deaf pipe does not bring that word until it is told to, or never, because the process at its
// other end is dead.
type deaf struct {
	pipe.Pipe
	hears, dead chan struct{} // closed when it is so
	goodbye     chan struct{} // closed when that is written here
	word        *pipe.Buffer  // that has come
	length      int           // … with so many bytes

	mu    sync.Mutex
	stops chan struct{} // closed when it has been interrupted
}

func newDeaf(p pipe.Pipe) *deaf {
	d := &deaf{Pipe: p}
	for _, c := range []*chan struct{}{&d.hears, &d.dead, &d.stops, &d.goodbye} {
		*c = make(chan struct{})
	}
	return d
}

func (d *deaf) Read(pool *sync.Pool, into []byte) (buf *pipe.Buffer, n, placed int, err error) {
	for {
		if d.word == nil {
			buf, n, placed, err = d.Pipe.Read(pool, into)
			if err != nil || wire.Type(buf[0]) != wire.Move || buf[1]&wire.Gone == 0 {
				return buf, n, placed, err
			}
			d.word, d.length = buf, n
		}
		select {
		case <-d.hears:
			buf, d.word = d.word, nil
			return buf, d.length, 0, nil
		case <-d.dead:
			pool.Put(d.word)
			d.word = nil
		case <-d.stopping():
			return nil, 0, 0, os.ErrDeadlineExceeded
		}
	}
}

func (d *deaf) ReadNow(pool *sync.Pool, into []byte) (buf *pipe.Buffer, n, placed int, err error) {
	if d.word != nil {
		return nil, 0, 0, syscall.EAGAIN
	}
	return d.Pipe.ReadNow(pool, into)
}

func (d *deaf) stopping() chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stops
}

func (d *deaf) Interrupt() {
	select {
	case <-d.stopping():
	default:
		close(d.stopping())
	}
	d.Pipe.Interrupt()
}

func (d *deaf) Resume() {
	d.mu.Lock()
	d.stops = make(chan struct{})
	d.mu.Unlock()
	d.Pipe.Resume()
}

func (d *deaf) Write(head, body []byte) error {
	if wire.Type(head[0]) == wire.Bye {
		close(d.goodbye)
	}
	return d.Pipe.Write(head, body)
}

func (d *deaf) Pull(theirs uint64) (uintptr, error) {
	select {
	case <-d.dead:
		return 0, syscall.ESRCH
	default:
		return d.Pipe.Pull(theirs)
	}
}

// throughItself sends ends over a connection: the connection itself, and what else made returns. It
// returns those that have come out, and the connection's other end with its pipe.
func throughItself(t *testing.T, made func(itself *endpoint.Conn) []any) (ends []any, far *endpoint.Conn, pipe *deaf) {
	t.Helper()
	cfg, _ := moving(sock.Stream)
	x, y, err := newPair()
	if err != nil {
		t.Fatal(err)
	}
	pipe = newDeaf(y)
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

// The other end of such an end may be closed before that word comes. It waits for the word then, to
// say goodbye to the new owner.
func TestP8GoodbyeToAnEndThatHasMovedOverItself(t *testing.T) {
	testenv.NeedPipeRights(t)
	ends, far, pipe := throughItself(t, func(itself *endpoint.Conn) []any { return []any{itself} })
	owner := ends[0].(*endpoint.Conn)
	t.Cleanup(func() { owner.Close() })
	if err := soon(t, "Close", far.Close); err != nil {
		t.Error(err)
	}
	close(pipe.hears)
	if err := soon(t, "the goodbye", func() error { _, err := owner.Read(make([]byte, 1)); return err }); err != io.EOF {
		t.Errorf("the new owner reads %v", err)
	}
	select {
	case <-pipe.goodbye:
	default:
		t.Error("there was no goodbye")
	}
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
