package apitest

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"afunix"
	"afunix/internal/testenv"
)

// connections is how many there are in TestNobodyIsBusy; AFUNIX_TEST_CONNECTIONS says otherwise.
const connections = 2_000

// Of 64 clients that come again and again, at the same time, none is told that the pipe is busy:
// none asks twice.
func TestNobodyIsBusy(t *testing.T) {
	total := connections
	if n, err := strconv.Atoi(os.Getenv("AFUNIX_TEST_CONNECTIONS")); err == nil {
		total = n
	}
	l, name := listenPublic(t, afunix.ListenConfig{})
	l.SetDeadline(time.Time{})
	served := make(chan int, 1)
	go func() {
		n := 0
		defer func() { served <- n }()
		for {
			c, err := l.AcceptConn()
			if err != nil {
				return
			}
			n++
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				io.WriteString(c, "hello") // the client says what it has read
			}()
		}
	}()
	const clients = 64
	var busy, failed, left atomic.Int64
	left.Store(int64(total))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			<-start
			for left.Add(-1) >= 0 {
				f, err := testenv.OpenPipe(name)
				if err == nil {
					f.SetDeadline(time.Now().Add(patience))
					var said []byte
					if said, err = io.ReadAll(f); err == nil && string(said) != "hello" {
						err = fmt.Errorf("the server says %q", said)
					}
					f.Close()
				}
				switch err {
				case nil:
				case windows.ERROR_PIPE_BUSY:
					busy.Add(1)
				default:
					if failed.Add(1) == 1 {
						t.Error(err)
					}
				}
			}
		})
	}
	began := time.Now()
	close(start)
	wg.Wait()
	took := time.Since(began)
	l.Close()
	if n := <-served; n != total || busy.Load() != 0 || failed.Load() != 0 {
		t.Errorf("of %d clients %d were served; %d found the pipe busy, %d failed otherwise", total, n, busy.Load(), failed.Load())
	}
	t.Logf("%d connections from %d clients in %v; %d found the pipe busy", total, clients, took.Round(time.Millisecond), busy.Load())
}
