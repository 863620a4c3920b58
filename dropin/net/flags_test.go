//go:build linux || windows

package net_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"afunix/dropin/net"
	"afunix/dropin/syscall"
	"afunix/internal/testenv"
)

// received is what Recvmsg returned, with the descriptors closed.
type received struct {
	text   string
	n      int
	flags  int
	rights int
	err    error
}

func recvmsg(t *testing.T, fd, size, flags int) received {
	t.Helper()
	buf, oob := make([]byte, size), make([]byte, syscall.CmsgSpace(4*8))
	n, oobn, got, _, err := syscall.Recvmsg(fd, buf, oob, flags)
	r := received{string(buf[:max(0, min(n, size))]), n, got &^ syscall.MSG_CMSG_CLOEXEC, 0, err}
	if oobn > 0 {
		for _, fd := range rightsOf(t, oob[:oobn]) {
			syscall.Close(fd)
			r.rights++
		}
	}
	return r
}

func send(t *testing.T, fd int, text string, rights ...int) {
	t.Helper()
	var oob []byte
	if rights != nil {
		oob = syscall.UnixRights(rights...)
	}
	if err := syscall.Sendmsg(fd, []byte(text), oob, nil, 0); err != nil {
		t.Fatal(err)
	}
}

// With MSG_WAITALL a stream waits for all that there is room for, or the end, but not past
// descriptors (rows 32, 139).
func TestWaitall(t *testing.T) {
	needRights(t)
	f := testenv.TempFile(t, "hello")
	fd := int(f.Fd())
	for _, test := range []struct {
		name  string
		send  func(a int)
		later func(a int) // while it waits
		flags int
		want  received
	}{
		{"more comes", func(a int) { send(t, a, "ab") }, func(a int) { send(t, a, "cdefgh"); send(t, a, "ij") }, 0,
			received{"abcdefgh", 8, 0, 0, nil}},
		{"nothing at first", func(int) {}, func(a int) { send(t, a, "abcd"); send(t, a, "efgh") }, 0, received{"abcdefgh", 8, 0, 0, nil}},
		{"descriptors first", func(a int) { send(t, a, "ab", fd); send(t, a, "cd") }, nil, 0, received{"ab", 2, 0, 1, nil}},
		{"descriptors later", func(a int) { send(t, a, "ab") }, func(a int) { send(t, a, "cd", fd); send(t, a, "ef") }, 0,
			received{"abcd", 4, 0, 1, nil}},
		{"the end", func(a int) { send(t, a, "ab") }, func(a int) { syscall.Shutdown(a, syscall.SHUT_WR) }, 0, received{"ab", 2, 0, 0, nil}},
		{"the end at once", func(a int) { syscall.Shutdown(a, syscall.SHUT_WR) }, nil, 0, received{}},
		{"without waiting", func(a int) { send(t, a, "ab") }, nil, syscall.MSG_DONTWAIT, received{"ab", 2, 0, 0, nil}},
		{"nothing, without waiting", func(int) {}, nil, syscall.MSG_DONTWAIT, received{"", -1, 0, 0, syscall.EAGAIN}},
		{"looking", func(a int) { send(t, a, "ab") }, nil, syscall.MSG_PEEK, received{"ab", 2, 0, 0, nil}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := socketpair(t, "unix")
			defer syscall.Close(a)
			defer syscall.Close(b)
			test.send(a)
			got := make(chan received)
			go func() { got <- recvmsg(t, b, 8, syscall.MSG_WAITALL|test.flags) }()
			if test.later != nil {
				select {
				case r := <-got:
					t.Fatalf("it did not wait: %+v", r)
				case <-time.After(20 * time.Millisecond):
				}
				test.later(a)
			}
			select {
			case r := <-got:
				if r.err != nil {
					r.n = -1 // some return 0 beside an error
				}
				if r != test.want {
					t.Errorf("%+v; want %+v", r, test.want)
				}
			case <-time.After(patience):
				t.Fatal("it waits for ever")
			}
		})
	}
	each(t, []string{"unixgram", "unixpacket"}, func(t *testing.T, network string) {
		a, b := socketpair(t, network)
		defer syscall.Close(a)
		defer syscall.Close(b)
		send(t, a, "ab")
		if r := recvmsg(t, b, 8, syscall.MSG_WAITALL); r != (received{"ab", 2, 0, 0, nil}) {
			t.Errorf("%+v", r)
		}
	})
}

// With MSG_TRUNC the length of a record or datagram is known, however long the buffer is. On a
// stream it means nothing (row 135).
func TestTrunc(t *testing.T) {
	needRights(t)
	each(t, all, func(t *testing.T, network string) {
		a, b := socketpair(t, network)
		defer syscall.Close(a)
		defer syscall.Close(b)
		long := string(make([]byte, 10000))
		f := testenv.TempFile(t, "hello")
		send(t, a, "abcdef"+long, int(f.Fd()))
		send(t, a, "gh")
		want := received{"ab", 10006, syscall.MSG_TRUNC, 1, nil}
		next := received{"gh", 2, 0, 0, nil}
		if network == "unix" {
			want = received{"ab", 2, 0, 1, nil}
			next = received{"cd", 2, 0, 0, nil}
		}
		for _, flags := range []int{syscall.MSG_TRUNC | syscall.MSG_PEEK, syscall.MSG_TRUNC} {
			if r := recvmsg(t, b, 2, flags); r != want {
				t.Errorf("%#x: %+v; want %+v", flags, r, want)
			}
		}
		if r := recvmsg(t, b, 2, syscall.MSG_TRUNC); r != next {
			t.Errorf("%+v; want %+v", r, next)
		}
		if network == "unix" {
			return
		}
		if r := recvmsg(t, b, 2, syscall.MSG_TRUNC|syscall.MSG_DONTWAIT); r.err != syscall.EAGAIN {
			t.Errorf("%+v", r)
		}
	})
}

// Urgent data is nothing that pipes have; flags without a meaning for Unix sockets mean nothing.
func TestFlagsThatMeanNothing(t *testing.T) {
	each(t, all, func(t *testing.T, network string) {
		a, b := socketpair(t, network)
		defer syscall.Close(a)
		defer syscall.Close(b)
		if overPipe {
			if err := syscall.Sendmsg(a, []byte("x"), nil, nil, syscall.MSG_OOB); err != syscall.EOPNOTSUPP {
				t.Errorf("Sendmsg with MSG_OOB: %v", err)
			}
			if r := recvmsg(t, b, 1, syscall.MSG_OOB); r.err != syscall.EOPNOTSUPP {
				t.Errorf("Recvmsg with MSG_OOB: %v", r.err)
			}
		}
		for _, flag := range []int{syscall.MSG_NOSIGNAL, syscall.MSG_EOR, syscall.MSG_DONTROUTE} {
			if err := syscall.Sendmsg(a, []byte("x"), nil, nil, flag); err != nil {
				t.Errorf("Sendmsg with flag %#x: %v", flag, err)
			}
			if r := recvmsg(t, b, 2, syscall.MSG_NOSIGNAL); r.text != "x" || r.err != nil {
				t.Errorf("%+v", r)
			}
		}
	})
}

// A send that is not to wait sends what there is room for, and says how much that was.
func TestSendWithoutWaiting(t *testing.T) {
	a, b := socketpair(t, "unix")
	defer syscall.Close(a)
	data := make([]byte, 8<<20)
	sent := 0
	expectSoon(t, func() error {
		for {
			n, err := syscall.SendmsgN(a, data[sent:], nil, nil, syscall.MSG_DONTWAIT)
			if err == syscall.EAGAIN && n <= 0 && sent > 0 {
				return nil
			}
			if err != nil || n <= 0 || sent+n == len(data) {
				return errors.Join(errors.New("a send without room"), err)
			}
			sent += n
		}
	})
	if err := syscall.Shutdown(a, syscall.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(asConn(t, b))
	if len(got) != sent || err != nil {
		t.Errorf("%d bytes came, %v; %d were sent", len(got), err, sent)
	}
}

// A received message names its sender if that has a name: on a connection, too.
func TestSenderOfAConnection(t *testing.T) {
	each(t, listened, func(t *testing.T, network string) {
		client, server := connect(t, network)
		path := client.RemoteAddr().String()
		for range 2 {
			if _, err := server.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		buf := make([]byte, 1)
		if _, from, err := client.ReadFromUnix(buf); err != nil || from == nil || from.Name != path || from.Net != network {
			t.Errorf("ReadFromUnix: %v, %v", from, err)
		}
		if _, _, _, from, err := client.ReadMsgUnix(buf, nil); err != nil || from == nil || from.Name != path || from.Net != network {
			t.Errorf("ReadMsgUnix: %v, %v", from, err)
		}
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, from, err := server.ReadFrom(buf); err != nil || from != nil {
			t.Errorf("ReadFrom of a socket without a name: %v, %v", from, err)
		}
	})
}

// Buffers are one record or datagram.
func TestBuffersAreOneMessage(t *testing.T) {
	each(t, all, func(t *testing.T, network string) {
		a, b := connPair(t, network)
		v := net.Buffers{[]byte("ab"), nil, []byte("cde"), nil}
		if n, err := v.WriteTo(a); n != 5 || len(v) != 0 || err != nil {
			t.Errorf("WriteTo = %d, %v; %d are left", n, err, len(v))
		}
		buf := make([]byte, 10)
		if n, err := b.Read(buf); string(buf[:n]) != "abcde" || err != nil {
			t.Errorf("%q, %v", buf[:n], err)
		}
		none := net.Buffers{nil}
		if n, err := none.WriteTo(a); n != 0 || err != nil {
			t.Errorf("WriteTo of nothing = %d, %v", n, err)
		}
		a.Close()
		if network != "unixgram" { // nothing is no message
			if _, err := b.Read(buf); err != io.EOF {
				t.Error(err)
			}
		}
		left := net.Buffers{[]byte("ab"), []byte("c")}
		var op *net.OpError
		if n, err := left.WriteTo(a); n != 0 || len(left) != 2 || !errors.As(err, &op) || op.Op != "writev" || !errors.Is(err, net.ErrClosed) {
			t.Errorf("WriteTo what is closed = %d, %v; %d are left", n, err, len(left))
		}
	})
}

// A record of length 0 reads as the end, as package net has it.
func TestEmptyRecord(t *testing.T) {
	a, b := connPair(t, "unixpacket")
	for range 2 {
		if _, err := a.Write(nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1)
	if n, err := b.Read(buf); n != 0 || err != io.EOF {
		t.Errorf("Read = %d, %v", n, err)
	}
	if n, _, _, _, err := b.ReadMsgUnix(buf, nil); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("ReadMsgUnix = %d, %v", n, err)
	}
	if n, err := b.Read(buf); n != 1 || err != nil {
		t.Errorf("Read = %d, %v", n, err)
	}
}
