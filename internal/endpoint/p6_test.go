package endpoint_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"

	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/transport"
)

// file is an open file to be sent.
func file(t testing.TB) transport.File {
	t.Helper()
	f, err := os.CreateTemp(testenv.TempDir(t), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return transport.File{Value: f.Fd()}
}

// A step is one read of the table below.
type step struct {
	plain bool // Read, not Recv
	peek  bool
	room  int
	want  string
	descs int
}

// Linux's rules to the letter: the rows of SEMANTICS.md in which rights meet the boundaries of a stream, on the real pipe.
func TestP6RightsAndStreamBoundaries(t *testing.T) {
	testenv.NeedPipeRights(t)
	type part struct {
		data  string
		descs int
	}
	for _, tt := range []struct {
		name  string
		parts []part
		steps []step
	}{
		{"row 17: a read of nothing takes the rights", []part{{"x", 1}}, []step{{room: 0, descs: 1}, {room: 9, want: "x"}}},
		{"row 18: Read closes what came", []part{{"ab", 2}, {"c", 0}},
			[]step{{plain: true, room: 9, want: "ab"}, {room: 9, want: "c"}}},
		{"row 21: rights belong to their own bytes", []part{{"four", 0}, {"no", 1}}, []step{{room: 4, want: "four"}, {room: 4, want: "no", descs: 1}}},
		{"row 26: plain data before is merged", []part{{"four", 0}, {"1", 1}, {"more", 0}},
			[]step{{room: 20, want: "four1", descs: 1}, {room: 20, want: "more"}}},
		{"row 27: a read stops after the segment with rights", []part{{"ab", 1}, {"cd", 0}},
			[]step{{room: 20, want: "ab", descs: 1}, {room: 20, want: "cd"}}},
		{"row 30: the boundary stops Read, too", []part{{"ab", 1}, {"cd", 3}, {"ef", 0}},
			[]step{{plain: true, room: 20, want: "ab"}, {plain: true, room: 20, want: "cd"}, {plain: true, room: 20, want: "ef"}}},
		{"row 33: each peek gives duplicates", []part{{"ab", 1}, {"cd", 0}},
			[]step{{peek: true, room: 20, want: "ab", descs: 1}, {peek: true, room: 20, want: "ab", descs: 1}, {room: 20, want: "ab", descs: 1}}},
		{"row 134: data merges, and a peek spans writes", []part{{"ab", 0}, {"cd", 0}},
			[]step{{peek: true, room: 9, want: "abcd"}, {room: 3, want: "abc"}, {room: 9, want: "d"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, client := dialled(t, sock.Stream)
			f := file(t)
			for _, dir := range [][2]*endpoint.Conn{{client, server}, {server, client}} {
				for _, p := range tt.parts {
					files := make([]transport.File, p.descs)
					for i := range files {
						files[i] = f
					}
					send(t, dir[0], p.data, files...)
				}
				for i, s := range tt.steps {
					if err := do(dir[1], s); err != nil {
						t.Fatalf("read %d: %v", i, err)
					}
				}
			}
		})
	}
}

func do(c *endpoint.Conn, s step) error {
	buf := make([]byte, s.room)
	if s.plain {
		n, err := c.Read(buf)
		if err != nil || string(buf[:n]) != s.want {
			return fmt.Errorf("%q, %v, want %q", buf[:n], err, s.want)
		}
		return nil
	}
	m, err := c.Recv(buf, s.peek)
	if err != nil || string(buf[:m.N]) != s.want || m.Rights.Len() != s.descs {
		return fmt.Errorf("%q with %d descriptors, %v, want %+v", buf[:m.N], m.Rights.Len(), err, s)
	}
	return m.Rights.Close()
}

// Rows 151, 152, 157: half-closes.
func TestP6HalfClose(t *testing.T) {
	testenv.NeedPipeRights(t)
	server, client := dialled(t, sock.Stream)
	send(t, client, "last words", file(t))
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil { // row 153
		t.Error(err)
	}
	if _, err := client.Write([]byte("x")); err != syscall.EPIPE {
		t.Errorf("own write: %v, want EPIPE", err)
	}
	recv(t, server, "last words", 1).Close()
	for range 2 {
		if _, err := server.Read(make([]byte, 9)); err != io.EOF {
			t.Errorf("%v, want EOF", err)
		}
	}
	send(t, server, "the other direction works", file(t))
	recv(t, client, "the other direction works", 1).Close()

	send(t, server, "queued")
	if err := client.CloseRead(); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Write([]byte("x")); err != syscall.EPIPE {
		t.Errorf("the peer's first write after CloseRead: %v, want EPIPE", err)
	}
	if _, err := server.Send([]byte("x"), []transport.File{file(t)}, nil); err != syscall.EPIPE {
		t.Errorf("row 24: %v, want EPIPE", err)
	}
	recv(t, client, "queued", 0)
	if _, err := client.Read(make([]byte, 9)); err != io.EOF {
		t.Errorf("%v, want EOF", err)
	}
}

// Row 154: data first, then ECONNRESET once, then the end; sending is EPIPE. Row 157: without anything unread there is no reset.
func TestP6CloseWithUnreadInput(t *testing.T) {
	testenv.NeedPipeRights(t)
	for _, unread := range []bool{true, false} {
		t.Run(fmt.Sprintf("unread %t", unread), func(t *testing.T) {
			server, client := dialled(t, sock.Stream)
			if unread {
				send(t, client, "never read", file(t))
			}
			send(t, server, "queued")
			if err := server.Close(); err != nil {
				t.Fatal(err)
			}
			recv(t, client, "queued", 0)
			if unread {
				if _, err := client.Read(make([]byte, 9)); err != syscall.ECONNRESET {
					t.Errorf("%v, want ECONNRESET", err)
				}
			}
			for range 2 {
				if _, err := client.Read(make([]byte, 9)); err != io.EOF {
					t.Errorf("%v, want EOF", err)
				}
			}
			if _, err := client.Write([]byte("x")); err != syscall.EPIPE {
				t.Errorf("%v, want EPIPE", err)
			}
			if _, err := client.Write(nil); err != syscall.EPIPE {
				t.Errorf("row 138: %v, want EPIPE", err)
			}
		})
	}
}

// Rows 10, 15, 147: what cannot be sent changes nothing.
func TestP6WhatCannotBeSent(t *testing.T) {
	testenv.NeedPipeRights(t)
	server, client := dialled(t, sock.Stream)
	f := file(t)
	closed, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	bad := transport.File{Value: closed.Fd()}
	closed.Close()
	if n, err := client.Send([]byte("x"), []transport.File{f, bad}, nil); n != 0 || !errors.Is(err, syscall.EBADF) {
		t.Errorf("a closed descriptor: %d, %v, want EBADF", n, err)
	}
	if n, err := client.Send(nil, []transport.File{f}, nil); n != 0 || err != syscall.EINVAL {
		t.Errorf("descriptors without data: %d, %v, want EINVAL", n, err)
	}
	if n, err := client.Send([]byte("x"), nil, client.LocalAddr()); n != 0 || err != syscall.EISCONN {
		t.Errorf("to somebody else: %d, %v, want EISCONN", n, err)
	}
	send(t, client, "nothing has happened", f)
	recv(t, server, "nothing has happened", 1).Close()
}

// Row 22, row 66, row 71: credentials come with what was sent after somebody asked for them.
func TestP6PassCredentials(t *testing.T) {
	testenv.NeedPipeRights(t)
	server, client := dialled(t, sock.Stream)
	send(t, client, "before")
	if err := server.SetPassCredentials(true); err != nil {
		t.Fatal(err)
	}
	send(t, client, "after", file(t))
	buf := make([]byte, 99)
	m, err := server.Recv(buf, false)
	if err != nil || string(buf[:m.N]) != "before" || m.Credentials == nil || m.Credentials.PID != 0 {
		t.Errorf("%q, %+v, %v", buf[:m.N], m.Credentials, err)
	}
	m, err = server.Recv(buf, false)
	if err != nil || string(buf[:m.N]) != "after" || m.Credentials == nil || m.Credentials.PID != os.Getpid() || m.Rights.Len() != 1 {
		t.Errorf("%q, %+v, %v", buf[:m.N], m.Credentials, err)
	}
	m.Rights.Close()
	if err := server.SetPassCredentials(false); err != nil {
		t.Fatal(err)
	}
	send(t, client, "off")
	if m, err = server.Recv(buf, false); err != nil || m.Credentials != nil {
		t.Errorf("%+v, %v", m.Credentials, err)
	}
}
