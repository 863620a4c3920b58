package endpoint_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/leaktest"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// What is particular to Linux.

// A stranger's file may be on a file system of his that does not answer. Nobody waits for it: not
// the listener, not the other clients, not Close.
func TestP7FilesWhoseFileSystemDoesNotAnswer(t *testing.T) {
	testenv.NeedPipeRights(t)
	for name, kind := range map[string]descriptor.Kind{"as it is": descriptor.File, "as what it is not": descriptor.Process} {
		t.Run(name, func(t *testing.T) {
			leaktest.Check(t)
			fs := testenv.MountFUSE(t)
			l, path := listen(t, sock.Stream, 0)
			f, err := os.Open(filepath.Join(fs.Dir, "file"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { // before the file system is left
				fs.Unmount()
				f.Close()
			})
			raw, err := f.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			e := settle(t, path)
			fs.Silent.Store(true)
			raw.Control(func(fd uintptr) { e.packet(withRecords(1, 3, wire.Record{Kind: uint8(kind), Value: uint64(fd)})) })
			if kind == descriptor.File {
				e.hearA(wire.Ack)
			} else {
				e.untilHungUp()
			}
			good := dial(t, sock.Stream, path)
			send(t, good, "goes on")
			done := make(chan error, 1)
			go func() {
				for range 2 {
					c, err := l.Accept()
					if err != nil {
						done <- err
						return
					}
					if err := c.Close(); err != nil { // unread
						done <- err
						return
					}
				}
				done <- l.Close()
			}()
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(10 * time.Second):
				t.Error("somebody waits for the file system")
				fs.Unmount()
				<-done
			}
		})
	}
}

// Descriptors that a peer attaches by the kernel's own means (SCM_RIGHTS) are closed, with the
// hello and later.
func TestP7DescriptorsBesideThePackets(t *testing.T) {
	leaktest.Check(t)
	l, path := listen(t, sock.Stream, 0)
	pipe, err := newClient(context.Background(), path, sock.Stream)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	attach := func(p wire.Packet, n int) {
		lent(t, w, func(f transport.File) {
			fds := make([]int, n)
			for i := range fds {
				fds[i] = int(f.Value)
			}
			pipe.SyscallConn().Control(func(fd uintptr) {
				err := unix.Sendmsg(int(fd), p.Append(nil), unix.UnixRights(fds...), nil, 0)
				if err == unix.EPERM { // SO_PASSRIGHTS, from Linux 6.16 on
					err = unix.Sendmsg(int(fd), p.Append(nil), nil, nil, 0)
				}
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
	h := wire.HelloBody{SocketType: uint8(sock.Stream), Window: sock.DefaultWindow}
	attach(wire.Packet{Type: wire.Hello, Payload: h.Append(nil)}, 253)
	e := &enemy{t: t, pipe: pipe}
	e.hearA(wire.Hello)
	e.packet(wire.Packet{Type: wire.Ready, Payload: []byte{0}})
	for range 3 {
		attach(plainData, 253)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m, err := conn.Recv(make([]byte, 100), false)
	if err != nil || m.N != 3 || m.Rights.Len() != 0 {
		t.Errorf("%+v, %v", m, err)
	}
	w.Close()
	r.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := r.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a copy is open: %v", err)
	}
}

// A name that leads to what is no socket of ours, or to somebody else's, is an error of connect(2);
// a symbolic link leads where it says, as in the kernel.
func TestP7WhatASocketFileMayBe(t *testing.T) {
	dir := testenv.TempDir(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		unix.Mkfifo(at("fifo"), 0o600),
		os.WriteFile(at("huge"), make([]byte, 1<<20), 0o600),
		os.Symlink("loop", at("loop")),
		os.Symlink("/dev/zero", at("device")),
		os.Mkdir(at("dir"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]error{
		"fifo": syscall.ECONNREFUSED, "huge": syscall.ECONNREFUSED, "device": syscall.ECONNREFUSED, "dir": syscall.ECONNREFUSED,
		"loop": syscall.ELOOP, "none": syscall.ENOENT, "huge/x": syscall.ENOTDIR,
	} {
		if p, err := newClient(t.Context(), at(name), sock.Stream); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
			if err == nil {
				p.Close()
			}
		}
	}
}

// A service that is none of ours, on a socket of the kind that our pipes are, gets a hello, and
// Dial fails with what it answers.
func TestP7AnotherServiceBehindTheName(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "s")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 1)); err != nil {
		t.Fatal(err)
	}
	go func() {
		c, _, err := unix.Accept(fd)
		if err == nil {
			unix.Read(c, make([]byte, 100))
			unix.Write(c, []byte("220 mail.example.org\r\n"))
			unix.Close(c)
		}
	}()
	p, err := newClient(t.Context(), path, sock.Stream)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := endpoint.Dial(t.Context(), p, endpoint.Config{Type: sock.Stream}); !errors.Is(err, syscall.EPROTO) {
		t.Errorf("%v, want EPROTO", err)
		c.Close()
	}
}
