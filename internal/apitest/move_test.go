//go:build linux || windows

package apitest

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// Ends of the pipe transport that move (P8), within one process: what fails, what waits in queues,
// and what nobody takes.

// eachPipe is each over the pipe transport.
func eachPipe(t *testing.T, networks []string, f func(t *testing.T, tr afunix.Transport, network string)) {
	eachPassing(t, networks, func(t *testing.T, tr afunix.Transport, network string) {
		if tr == afunix.KernelTransport {
			t.Skip("there an end is duplicated, as the kernel does")
		}
		f(t, tr, network)
	})
}

// expectWhole expects that two ends still are what they were: nothing has been lost, and calls that
// wait are served.
func expectWhole(t *testing.T, a, b *afunix.Conn) {
	t.Helper()
	expectMsg(t, a, "early +words")
	expectAlive(t, a, b)
	expectAlive(t, b, a)
}

// withMessage returns a pair of which near has a message in its queue.
func withMessage(t *testing.T, tr afunix.Transport, network string) (near, far *afunix.Conn) {
	t.Helper()
	near, far = pair(t, tr, network)
	mustWriteMsg(t, far, "early", testenv.TempFile(t, "words"))
	return near, far
}

// A message that cannot be sent leaves the end where it was, with all that it had.
func TestAnEndThatCannotBePassedStays(t *testing.T) {
	eachPipe(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		closed := testenv.TempFile(t, "")
		closed.Close()
		refused := syscall.EPIPE
		if network == "unixgram" {
			refused = syscall.ECONNREFUSED
		}
		for _, tt := range []struct {
			name  string
			want  error
			index int // of the file that is to blame; -1: none
			send  func(over, from, near *afunix.Conn) error
		}{
			{"receiver closed", refused, -1, func(over, from, near *afunix.Conn) error {
				from.Close()
				return second(over.WriteMsg([]byte("x"), near))
			}},
			{"sender closed", net.ErrClosed, -1, func(over, from, near *afunix.Conn) error {
				over.Close()
				return second(over.WriteMsg([]byte("x"), near))
			}},
			{"writing shut down", syscall.EPIPE, -1, func(over, from, near *afunix.Conn) error {
				over.CloseWrite()
				return second(over.WriteMsg([]byte("x"), near))
			}},
			{"reading shut down", syscall.EPIPE, -1, func(over, from, near *afunix.Conn) error {
				from.CloseRead()
				return second(over.WriteMsg([]byte("x"), near))
			}},
			{"deadline", os.ErrDeadlineExceeded, -1, func(over, from, near *afunix.Conn) error {
				over.SetWriteDeadline(time.Unix(1, 0))
				return second(over.WriteMsg([]byte("x"), near))
			}},
			{"254 descriptors", syscall.EINVAL, -1, func(over, from, near *afunix.Conn) error {
				files := []afunix.Sendable{near}
				for len(files) <= afunix.MaxRights {
					files = append(files, os.Stdin)
				}
				return second(over.WriteMsg([]byte("x"), files...))
			}},
			{"a file that is closed behind it", syscall.EBADF, 1, func(over, from, near *afunix.Conn) error {
				return second(over.WriteMsg([]byte("x"), near, closed))
			}},
			{"a file that is closed before it", syscall.EBADF, 0, func(over, from, near *afunix.Conn) error {
				return second(over.WriteMsg([]byte("x"), closed, near))
			}},
			{"an end that is closed behind it", syscall.EBADF, 1, func(over, from, near *afunix.Conn) error {
				x, _ := pair(t, tr, network)
				x.Close()
				return second(over.WriteMsg([]byte("x"), near, x))
			}},
			{"sent twice", syscall.EBADF, 1, func(over, from, near *afunix.Conn) error {
				return second(over.WriteMsg([]byte("x"), near, near))
			}},
			{"no end at all", syscall.EBADF, 1, func(over, from, near *afunix.Conn) error {
				return second(over.WriteMsg([]byte("x"), near, (*afunix.Conn)(nil)))
			}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				over, from := pair(t, tr, network)
				near, far := withMessage(t, tr, network)
				err := tt.send(over, from, near)
				if !errors.Is(err, tt.want) {
					t.Errorf("%v; want %v", err, tt.want)
				}
				var which *afunix.RightsError
				if errors.As(err, &which) != (tt.index >= 0) || which != nil && which.Index != tt.index {
					t.Errorf("%v blames another descriptor than number %d", err, tt.index)
				}
				expectWhole(t, near, far)
			})
		}
	})
}

func TestAnEndStaysIfItsRecordIsTooLong(t *testing.T) {
	eachPipe(t, records, func(t *testing.T, tr afunix.Transport, network string) {
		over, _ := pair(t, tr, network)
		near, far := withMessage(t, tr, network)
		if n, err := over.WriteMsg(make([]byte, 1<<20), near); n != 0 || !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("WriteMsg = %d, %v; want EMSGSIZE", n, err)
		}
		expectWhole(t, near, far)
	})
}

// Datagram sockets say no in ways of their own.
func TestAnEndStaysIfADatagramIsRefused(t *testing.T) {
	eachPipe(t, []string{"unixgram"}, func(t *testing.T, tr afunix.Transport, network string) {
		bind := func(path string) *afunix.Conn {
			c, err := (&afunix.ListenConfig{Transport: tr}).ListenPacket(t.Context(), network, path)
			if err != nil {
				t.Fatal(err)
			}
			guard(t, c)
			return c
		}
		for _, tt := range []struct {
			name string
			want error
			does func(s *afunix.Conn, path string) // the socket at path, which a sender is about to send to
		}{
			{"deaf", syscall.EPIPE, func(s *afunix.Conn, _ string) { s.CloseRead() }},
			{"closed", syscall.ECONNREFUSED, func(s *afunix.Conn, _ string) { s.Close() }},
		} {
			t.Run(tt.name, func(t *testing.T) {
				path := socketPath(t)
				s := bind(path)
				c, err := (&afunix.Dialer{Transport: tr}).DialContext(t.Context(), network, path)
				if err != nil {
					t.Fatal(err)
				}
				guard(t, c)
				mustWriteMsg(t, c, "hello")
				near, far := withMessage(t, tr, network)
				tt.does(s, path)
				if _, err := c.WriteMsg([]byte("x"), near); !errors.Is(err, tt.want) {
					t.Errorf("%v; want %v", err, tt.want)
				}
				expectWhole(t, near, far)
			})
		}
		t.Run("stranger", func(t *testing.T) {
			path := socketPath(t)
			bind(path + "f")
			s, err := (&afunix.Dialer{Transport: tr, LocalAddr: &net.UnixAddr{Name: path, Net: network}}).DialContext(t.Context(), network, path+"f")
			if err != nil {
				t.Fatal(err)
			}
			guard(t, s)
			near, far := withMessage(t, tr, network)
			u := bind(path + "u")
			if _, err := u.WriteMsgTo([]byte("x"), &net.UnixAddr{Name: path, Net: network}, near); !errors.Is(err, syscall.EPERM) {
				t.Errorf("%v; want EPERM", err)
			}
			expectWhole(t, near, far)
		})
	})
}

// Whatever is called while the end waits for its message to be read works as if the end had been
// closed, and the peer goes on.
func TestAnEndInAQueueWaits(t *testing.T) {
	eachPipe(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		over, from := pair(t, tr, network)
		near, far := withMessage(t, tr, network)
		mustWriteMsg(t, over, "take", near)
		expectGone(t, near)
		mustWriteMsg(t, far, "late", testenv.TempFile(t, "more words"))
		if _, err := over.WriteMsg([]byte("x"), near); !errors.Is(err, syscall.EBADF) {
			t.Errorf("sent again: %v; want EBADF", err)
		}
		m := mustReadMsg(t, from, "take", 1)
		c, err := m.Rights.Conn(0)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c.(*afunix.Conn))
		expectMsg(t, c.(*afunix.Conn), "early +words")
		expectMsg(t, c.(*afunix.Conn), "late +more words")
		expectAlive(t, c.(*afunix.Conn), far)
	})
}

// Ends in the queues of ends, three deep, with files between them.
func TestEndsInQueuesOfEndsMove(t *testing.T) {
	eachPipe(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		over, from := pair(t, tr, network)
		a, toA := pair(t, tr, network)
		b, toB := pair(t, tr, network)
		c, toC := withMessage(t, tr, network)
		mustWriteMsg(t, toB, "c", testenv.TempFile(t, ""), c)
		mustWriteMsg(t, toA, "b", b, testenv.TempFile(t, ""))
		a = pass(t, over, from, a)[0]
		open := func(m afunix.Message, i int) *afunix.Conn {
			t.Helper()
			end, err := m.Rights.Conn(i)
			if err != nil {
				t.Fatal(err)
			}
			guard(t, end.(*afunix.Conn))
			return end.(*afunix.Conn)
		}
		b = open(mustReadMsg(t, a, "b", 2), 0)
		c = open(mustReadMsg(t, b, "c", 2), 1)
		expectWhole(t, c, toC)
		expectAlive(t, b, toB)
		expectAlive(t, a, toA)
	})
}

// An end through itself comes out at the other end, and is its peer.
func TestAnEndPassesThroughItself(t *testing.T) {
	eachPipe(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		near, far := withMessage(t, tr, network)
		mustWriteMsg(t, near, "myself", near)
		expectGone(t, near)
		c, err := mustReadMsg(t, far, "myself", 1).Rights.Conn(0)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c.(*afunix.Conn))
		expectWhole(t, c.(*afunix.Conn), far)
	})
}

// Ends that nobody can ever reach are closed: an end in its own queue, two in each other's. So is
// all that waits with them.
func TestCyclesOfEndsAreClosed(t *testing.T) {
	eachPipe(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		w := testenv.NewWitness(t)
		near, far := pair(t, tr, network)
		mustWriteMsg(t, near, "file", w.W)
		mustWriteMsg(t, near, "peer", far) // into its own queue
		near.Close()
		w.ExpectClosed(t)

		w = testenv.NewWitness(t)
		a, toA := pair(t, tr, network)
		b, toB := pair(t, tr, network)
		mustWriteMsg(t, toA, "file", w.W)
		mustWriteMsg(t, toA, "b", b)
		_, err := toB.WriteMsg([]byte("a"), a)
		toA.Close()
		toB.Close()
		if err != nil {
			t.Logf("the second one: %v", err)
			a.Close()
		}
		w.ExpectClosed(t)
	})
}

// Peek shows the message, and nobody can have the end twice: in its place is one that was taken.
func TestPeekLeavesAnEndInTheQueue(t *testing.T) {
	eachPipe(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		over, from := pair(t, tr, network)
		near, far := withMessage(t, tr, network)
		mustWriteMsg(t, over, "take", testenv.TempFile(t, "file"), near)
		m, err := from.PeekMsg(make([]byte, 100))
		checkMsg(t, m, err, "take", 2)
		if k := m.Rights.Kind(1); k != afunix.KindUnix {
			t.Errorf("kind %v", k)
		}
		if _, err := m.Rights.Conn(1); !errors.Is(err, os.ErrClosed) {
			t.Errorf("an end that was only looked at: %v; want os.ErrClosed", err)
		}
		f, err := m.Rights.File(0)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		m.Rights.Close()
		c, err := mustReadMsg(t, from, "take", 2).Rights.Conn(1)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c.(*afunix.Conn))
		expectWhole(t, c.(*afunix.Conn), far)
	})
}

// An end is no bare descriptor; who asks for one hears what it is, and the end is still there.
func TestAnEndIsNoBareDescriptor(t *testing.T) {
	eachPipe(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		over, from := pair(t, tr, network)
		near, far := withMessage(t, tr, network)
		mustWriteMsg(t, over, "take", near)
		r := mustReadMsg(t, from, "take", 1).Rights
		_, asDescriptor := r.Descriptor(0)
		_, asFile := r.File(0)
		_, asListener := r.Listener(0)
		for name, err := range map[string]error{"Descriptor": asDescriptor, "File": asFile, "Listener": asListener} {
			var which *afunix.RightsError
			if !errors.As(err, &which) || which.Index != 0 {
				t.Errorf("%s: %v; want a RightsError", name, err)
			}
		}
		if asDescriptor == nil || !strings.Contains(asDescriptor.Error(), "Conn") {
			t.Errorf("Descriptor: %v; it does not say what to do", asDescriptor)
		}
		var c any
		c, err := r.PacketConn(0)
		if network != "unixgram" {
			if !errors.Is(err, syscall.EOPNOTSUPP) {
				t.Errorf("PacketConn: %v; want EOPNOTSUPP", err)
			}
			c, err = r.Conn(0)
		}
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c.(*afunix.Conn))
		expectWhole(t, c.(*afunix.Conn), far)
	})
}

// What nobody takes is closed: by Rights.Close, with the connection that it came over, or by the
// garbage collector.
func TestEndsThatNobodyTakesAreClosed(t *testing.T) {
	eachPipe(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		for name, drop := range map[string]func(from *afunix.Conn){
			"Rights.Close": func(from *afunix.Conn) { mustReadMsg(t, from, "take", 1).Rights.Close() },
			"Read":         func(from *afunix.Conn) { from.Read(make([]byte, 10)) },
			"Close":        func(from *afunix.Conn) { from.Close() },
			"collector": func(from *afunix.Conn) {
				if m, err := from.ReadMsg(make([]byte, 10)); err != nil || m.Rights.Len() != 1 {
					t.Error(err)
				}
			},
		} {
			t.Run(name, func(t *testing.T) {
				over, from := pair(t, tr, network)
				near, far := pair(t, tr, network)
				mustWriteMsg(t, over, "take", near)
				drop(from)
				ended := make(chan error, 1)
				go func() { ended <- second(far.Read(make([]byte, 1))) }()
				give := time.After(patience)
				for {
					runtime.GC()
					select {
					case err := <-ended:
						if err != io.EOF {
							t.Errorf("the peer reads %v; want the end", err)
						}
						return
					case <-give:
						t.Fatal("the end is still open")
					case <-time.After(time.Millisecond):
					}
				}
			})
		}
	})
}
