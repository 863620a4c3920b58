package apitest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"afunix"
)

// sliced cuts b into slices of these lengths, again and again; the last is shorter.
func sliced(b []byte, lengths ...int) (v net.Buffers) {
	for i := 0; len(b) > 0; i++ {
		n := min(lengths[i%len(lengths)], len(b))
		v = append(v, b[:n])
		b = b[n:]
	}
	return append(v, nil)
}

// pattern returns n bytes, by whose order one sees where they were.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8) ^ byte(i>>16)
	}
	return b
}

// Slices become one record, however many they are, and stay what they are.
func TestWriteBuffersIsOneRecord(t *testing.T) {
	each(t, records, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		for _, test := range []struct {
			n       int
			lengths []int
		}{{10, []int{10}}, {10, []int{0, 3, 1}}, {100_000, []int{1000, 5, 70_000}}, {5000, []int{1}}, {1024, []int{1}}} {
			data := pattern(test.n)
			v := sliced(data, test.lengths...)
			before := slices.Clone(v)
			for range 2 { // the same slices
				n, err := a.WriteBuffers(v)
				if n != int64(test.n) || err != nil {
					t.Fatalf("%d slices: %d, %v; want %d", len(v), n, err, test.n)
				}
				got := make([]byte, test.n+1)
				m, err := b.ReadMsg(got)
				if err != nil || !bytes.Equal(m.Data, data) {
					t.Fatalf("%d slices: a record of %d bytes, %v; want those %d", len(v), len(m.Data), err, test.n)
				}
			}
			if !slices.EqualFunc(v, before, bytes.Equal) || !bytes.Equal(data, pattern(test.n)) {
				t.Error("the slices have changed")
			}
		}
	})
}

// A named datagram socket sends to its peer in the same way.
func TestWriteBuffersOfANamedSocket(t *testing.T) {
	each(t, []string{"unixgram"}, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		server, err := (&afunix.ListenConfig{Transport: tr}).ListenPacket(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, server)
		client, err := (&afunix.Dialer{Transport: tr}).DialContext(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, client)
		if n, err := client.WriteBuffers(net.Buffers{[]byte("one "), []byte("datagram")}); n != 12 || err != nil {
			t.Fatal(n, err)
		}
		mustReadMsg(t, server, "one datagram", 0)
		n, err := server.WriteBuffers(net.Buffers{[]byte("to "), []byte("nobody")})
		_, werr := server.Write([]byte("to nobody"))
		if n != 0 || err == nil || errors.Is(err, syscall.ENOTCONN) != errors.Is(werr, syscall.ENOTCONN) {
			t.Errorf("without a peer: %d, %v; Write says %v", n, err, werr)
		}
	})
}

// Nothing comes in between: not of a Write, nor of another WriteBuffers.
func TestWriteBuffersIsUninterrupted(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		const writers, size, rounds = 4, 400_000, 5
		for i := range writers {
			go func() {
				data := bytes.Repeat([]byte{byte(i)}, size)
				for range rounds {
					var n int64
					var err error
					if i == 0 {
						var k int
						k, err = a.Write(data)
						n = int64(k)
					} else {
						n, err = a.WriteBuffers(sliced(data, 1, 3000*i, 100_000))
					}
					if n != size || err != nil {
						t.Errorf("writer %d: %d, %v", i, n, err)
						a.Close()
						return
					}
				}
			}()
		}
		got := make([]byte, size)
		for range writers * rounds {
			if _, err := io.ReadFull(b, got); err != nil {
				t.Fatal(err)
			}
			if bytes.Count(got, got[:1]) != size {
				t.Fatal("something has come in between")
			}
		}
	})
}

// A stream that is stopped says how much has been written, and no record is cut.
func TestWriteBuffersIsStopped(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		data := pattern(100_000)
		v := sliced(data, 999, 1, 20_000)
		a.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		var n int64
		var err error
		sent := int64(0)
		for err == nil {
			n, err = a.WriteBuffers(v)
			sent += n
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || network != "unix" && n != 0 {
			t.Fatalf("%d, %v; want os.ErrDeadlineExceeded", n, err)
		}
		a.CloseWrite()
		var got []byte
		for buf := make([]byte, 2*len(data)); err != io.EOF; got = append(got, buf[:n]...) { // more than a record
			var k int
			if k, err = b.Read(buf); err != nil && err != io.EOF {
				t.Fatal(err)
			}
			n = int64(k)
		}
		if int64(len(got)) != sent {
			t.Errorf("%d bytes have come; %d have been written", len(got), sent)
		}
		for i, c := range got {
			if c != data[i%len(data)] {
				t.Fatalf("byte %d is another one", i)
			}
		}
	})
}

// What cannot be written fails as Write does.
func TestWriteBuffersFailsAsWrite(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		long := make([]byte, 1<<20)
		if network != "unix" {
			n, err := a.WriteBuffers(net.Buffers{long, long})
			if n != 0 || !errors.Is(err, syscall.EMSGSIZE) {
				t.Errorf("too long: %d, %v; want EMSGSIZE", n, err)
			}
			if n, err := a.WriteBuffers(net.Buffers{nil, {}}); n != 0 || err != nil {
				t.Errorf("an empty record: %d, %v", n, err)
			}
			if m, err := b.ReadMsg(make([]byte, 10)); len(m.Data) != 0 || err != nil && err != io.EOF {
				t.Errorf("an empty record: %q, %v", m.Data, err)
			}
		} else if n, err := a.WriteBuffers(nil); n != 0 || err != nil {
			t.Errorf("nothing: %d, %v", n, err)
		}
		b.Close()
		_, werr := a.Write([]byte("x"))
		_, err := a.WriteBuffers(net.Buffers{[]byte("x"), []byte("y")})
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "write" || werr == nil || network == "unix" && !errors.Is(err, syscall.EPIPE) {
			t.Errorf("the peer has closed: %v; Write says %v", err, werr)
		}
		a.Close()
		if n, err := a.WriteBuffers(net.Buffers{[]byte("x"), []byte("y")}); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed: %d, %v; want net.ErrClosed", n, err)
		}
	})
}
