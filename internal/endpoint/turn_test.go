package endpoint_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/sock"
)

// resting makes a Read of c the one that waits on the pipe itself: c's reader rests as soon as a
// Read that waited has got what it waited for. It returns what to do for the next packet.
func (r *rig) resting(c, from *endpoint.Conn) {
	r.t.Helper()
	for range 3 {
		got := start(func() (int, error) { return c.Read(make([]byte, 9)) })
		r.pending(got, "a read of nothing")
		send(r.t, from, "x")
		if o := <-got; o.n != 1 || o.err != nil {
			r.t.Fatalf("%+v", o)
		}
	}
}

// Whoever stops reading does not stop the transport (P5): the reader takes over soon after the last
// Read.
func TestReaderTakesOverWhenNoReadComesBack(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.resting(r.client, r.server)
		begin := time.Now()
		send(t, r.server, "x", r.open(r.serverProc, descriptor.File, 1)...) // returns on the acknowledgement
		if took := time.Since(begin); took > 100*time.Millisecond {
			t.Errorf("the peer waited %v for a process that does not read", took)
		}
		recv(t, r.client, "x", 1).Close()
	})
}

// The same after every kind of call that may have read the pipe, over and over: whichever goroutine
// comes first, somebody reads it.
func TestP5PipeIsNeverUnattended(t *testing.T) {
	for name, k := range map[string]kinship{"as on Linux": onLinux, "as on Windows": onWindows} {
		t.Run(name, func(t *testing.T) {
			bubble(t, k, sock.Stream, func(t *testing.T, r *rig) {
				fromServer, fromClient := r.open(r.serverProc, descriptor.File, 1), r.open(r.clientProc, descriptor.File, 1)
				for i := range 2000 {
					begin := time.Now()
					send(t, r.client, "a", fromClient...)
					recv(t, r.server, "a", 1).Close()
					send(t, r.server, "b", fromServer...)
					recv(t, r.client, "b", 1).Close()
					if took := time.Since(begin); took > time.Second {
						t.Fatalf("round %d took %v", i, took)
					}
				}
			})
		})
	}
}

// A fickle pipe counts how often its reader is made to look around, and breaks when that does not
// end.
type fickle struct {
	*fakePipe
	interrupts atomic.Int32
}

const endless = 1000

func (p *fickle) Interrupt() {
	if p.interrupts.Add(1) > endless {
		p.fakePipe.Close()
	}
	p.fakePipe.Interrupt()
}

// A Read that takes the pipe over gets it, though on one processor a Write that waits for credit is
// interrupted, and back, before it wakes.
func TestReadTakesThePipeFromAWriteThatWaits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		serverPipe, clientPipe := newFakePipe(onLinux, r.serverProc, r.clientProc)
		r.source.pipes <- serverPipe
		pipe := &fickle{fakePipe: clientPipe}
		var err error
		if r.client, err = endpoint.Dial(t.Context(), pipe, r.config(r.clientProc, sock.Stream)); err != nil {
			t.Fatal(err)
		}
		c, err := r.listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		r.server = c.(*endpoint.Conn)
		r.resting(r.client, r.server)
		wrote := start(func() (int, error) { return r.client.Write(make([]byte, 4<<20)) })
		r.pending(wrote, "a write beyond the window") // it reads the pipe
		send(t, r.server, "x")
		r.pending(wrote, "a write beyond the window")
		before := pipe.interrupts.Load()
		if n, err := r.client.Read(make([]byte, 9)); n != 1 || err != nil { // there may be more in the pipe
			t.Errorf("read %d, %v", n, err)
		}
		if n := pipe.interrupts.Load() - before; n > 2 {
			t.Errorf("the Write was interrupted %d times", n)
		}
	})
}

// A writer that waits for credit gets it, while a Read of the same connection waits on the pipe,
// and when none does.
func TestWriterGetsItsCreditWhileAReadRests(t *testing.T) {
	for _, reading := range []bool{true, false} {
		t.Run(fmt.Sprintf("reading %t", reading), func(t *testing.T) {
			bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
				r.resting(r.client, r.server)
				var got <-chan outcome
				if reading {
					got = start(func() (int, error) { return r.client.Read(make([]byte, 9)) })
					r.pending(got, "a read of nothing")
				}
				const n = 4 << 20
				wrote := start(func() (int, error) { return r.client.Write(make([]byte, n)) })
				r.pending(wrote, "a write beyond the window")
				full(t, r.server, n)
				if o := <-wrote; o.n != n || o.err != nil || o.at > time.Second {
					t.Errorf("%+v", o)
				}
				if reading {
					send(t, r.server, "x")
					if o := <-got; o.n != 1 || o.err != nil {
						t.Errorf("%+v", o)
					}
				}
			})
		})
	}
}

// A writer in front of a full pipe goes on when there is room, though it may be reading the pipe at
// that time.
func TestWriterGoesOnWhenThePipeHasRoom(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.resting(r.client, r.server)
		r.serverPipe.hold()
		r.serverPipe.limit(1)
		send(t, r.client, "fills the pipe, ")
		wrote := start(func() (int, error) { return r.client.Write([]byte("waits")) })
		r.pending(wrote, "a write to a full pipe")
		r.serverPipe.limit(0)
		if o := <-wrote; o.err != nil || o.at > time.Second {
			t.Errorf("%+v", o)
		}
		r.serverPipe.letGo()
		recv(t, r.server, "fills the pipe, waits", 0)
	})
}

// A Read that waits on the pipe is served while a writer that waits there, too, has had his turn.
func TestReadTakesOverFromAWriterThatReads(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.resting(r.client, r.server)
		wrote := start(func() (int, error) { return r.client.Write(make([]byte, 2<<20)) })
		r.pending(wrote, "a write beyond the window")
		for i := range 20 {
			got := start(func() (int, error) { return r.client.Read(make([]byte, 9)) })
			r.pending(got, "a read of nothing")
			send(t, r.server, "y")
			if o := <-got; o.n != 1 || o.err != nil || o.at > time.Second {
				t.Fatalf("read %d: %+v", i, o)
			}
		}
		full(t, r.server, 2<<20)
		if o := <-wrote; o.err != nil {
			t.Errorf("%+v", o)
		}
	})
}

// Row 152: once CloseRead has returned, the peer's very next write fails, whoever reads the pipes.
func TestCloseReadIsSeenByTheNextWrite(t *testing.T) {
	for _, rest := range []bool{true, false} {
		t.Run(fmt.Sprintf("resting %t", rest), func(t *testing.T) {
			bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
				if rest {
					r.resting(r.client, r.server)
					r.resting(r.server, r.client)
				}
				begin := time.Now()
				if err := r.client.CloseRead(); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took > 100*time.Millisecond {
					t.Errorf("CloseRead took %v", took)
				}
				if _, err := r.server.Write([]byte("x")); err != syscall.EPIPE {
					t.Errorf("%v, want EPIPE", err)
				}
			})
		})
	}
}

// A CloseRead wakes a Read that waits on the pipe.
func TestCloseReadEndsARead(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.resting(r.client, r.server)
		got := start(func() (int, error) { return r.client.Read(make([]byte, 9)) })
		r.pending(got, "a read of nothing")
		if err := r.client.CloseRead(); err != nil {
			t.Fatal(err)
		}
		if o := <-got; o.err != io.EOF {
			t.Errorf("%+v, want EOF", o)
		}
	})
}

// A peer that is suspended does not hold up CloseRead for ever.
func TestCloseReadDoesNotWaitForASuspendedPeer(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.serverPipe.hold()
		begin := time.Now()
		if err := r.client.CloseRead(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("CloseRead took %v", took)
		}
		r.serverPipe.letGo()
	})
}

// Row 134: all that was written before a read is merged, whether the reader has it, or it is still
// in the pipe.
func TestDataMergesWhereverItIs(t *testing.T) {
	for _, rest := range []bool{true, false} {
		t.Run(fmt.Sprintf("resting %t", rest), func(t *testing.T) {
			bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
				if rest {
					r.resting(r.client, r.server)
				}
				for range 4 {
					send(t, r.server, "ab")
				}
				recv(t, r.client, "abababab", 0)
				for range 4 {
					send(t, r.server, "cd")
				}
				synctest.Wait()
				recv(t, r.client, "cdcdcdcd", 0)
				r.clientPipe.hold()
				for range 4 {
					send(t, r.server, "ef")
				}
				got := start(func() (int, error) { return r.client.Read(make([]byte, 99)) })
				r.pending(got, "a read of what is held back")
				r.clientPipe.letGo()
				if o := <-got; o.n < 2 {
					t.Errorf("%+v", o)
				} else if o.n < 8 {
					full(t, r.client, 8-o.n) // it had to wait: what it got first is enough
				}
			})
		})
	}
}

// Bytes that were placed in the buffer of a Read whose time is up then are read by the next.
func TestDeadlineBetweenPlacingAndTaking(t *testing.T) {
	want := make([]byte, 60000)
	for i := range want {
		want[i] = byte(i * 31 / 7)
	}
	for round := range 50 { // whether time is up before or after the packet comes is for the scheduler to say
		bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
			r.resting(r.client, r.server)
			r.client.SetReadDeadline(time.Now().Add(time.Second))
			var got []byte
			buf := make([]byte, 50000)
			read := start(func() (int, error) { return r.client.Read(buf) })
			r.pending(read, "a read of nothing")
			wrote := start(func() (int, error) { time.Sleep(time.Second); return r.server.Write(want) })
			o := <-read
			got = append(got, buf[:o.n]...)
			if o.err != nil && (o.n > 0 || o.err != os.ErrDeadlineExceeded) {
				t.Fatalf("%+v", o)
			}
			clear(buf)
			<-wrote
			r.client.SetReadDeadline(time.Time{})
			got = append(got, full(t, r.client, len(want)-len(got))...)
			if !bytes.Equal(got, want) {
				t.Errorf("round %d: not what was written (the first read said %+v)", round, o)
			}
		})
	}
}

// Packets that are no plain data are put together again when a Read waits with a large buffer.
func TestWhatIsNoPlainDataIsNotLeftInTheBuffer(t *testing.T) {
	for _, places := range []bool{true, false} {
		bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
			r.clientPipe.places = places
			for range 5 {
				got := make(chan bool)
				go func() {
					buf := make([]byte, 50000)
					m, err := r.client.Recv(buf, false)
					ok := err == nil && string(buf[:m.N]) == "with descriptors" && m.Rights.Len() == 2
					m.Rights.Close()
					got <- ok
				}()
				synctest.Wait()
				send(t, r.server, "with descriptors", r.open(r.serverProc, descriptor.File, 2)...)
				if !<-got {
					t.Error("garbled")
				}
			}
		})
	}
}
