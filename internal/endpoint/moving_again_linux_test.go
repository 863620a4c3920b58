package endpoint_test

import (
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/transport"
)

// A halted pipe keeps what it brings as long as the lock is held: its end looks like that of a process that is suspended.
type halted struct {
	pipe.Pipe
	sync.Mutex
}

func (h *halted) Read(pool *sync.Pool, into []byte) (buf *pipe.Buffer, n, placed int, err error) {
	buf, n, placed, err = h.Pipe.Read(pool, into)
	h.Lock()
	defer h.Unlock()
	return buf, n, placed, err
}

// An end that stays says hello, and so it does when it was to move again before its peer could answer the first one.
func TestAnEndStaysTwiceBeforeItIsAnswered(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Stream)
	x, y, err := newPair()
	if err != nil {
		t.Fatal(err)
	}
	pipe := &halted{Pipe: y}
	near, far := paired(t, cfg, x, pipe)
	carrier, _ := pairOf(t, cfg)
	stays := func() {
		t.Helper()
		carrier.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		if err := soon(t, "the move", func() error { return move(carrier, near) }); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v, want %v", err, os.ErrDeadlineExceeded)
		}
	}
	pipe.Lock()
	stays()
	stays()
	pipe.Unlock()
	exchange(t, near, far)
	send(t, near, "d", transport.File{Value: os.Stdin.Fd()})
	recv(t, far, "d", 1).Close()

	carrier.SetWriteDeadline(time.Now().Add(5 * time.Second))
	if err := soon(t, "the move", func() error { return move(carrier, near) }); err != nil {
		t.Error(err)
	}
}
