package winpipe

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"

	"afunix/internal/pipe"
	"afunix/internal/testenv"
)

// Another user of this machine, whose name and password are in the environment: see
// .github/workflows/test.yml.
const (
	strangerName     = "AFUNIX_SECOND_USER"
	strangerPassword = "AFUNIX_SECOND_PASSWORD"
)

var (
	advapi32                = windows.NewLazySystemDLL("advapi32.dll")
	logonUser               = advapi32.NewProc("LogonUserW")
	impersonateLoggedOnUser = advapi32.NewProc("ImpersonateLoggedOnUser")
)

// A stranger is a user who is not this process's.
type stranger struct {
	t     *testing.T
	token windows.Token
	sid   string
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	name, password := os.Getenv(strangerName), os.Getenv(strangerPassword)
	switch {
	case onWine():
		t.Skip("skipped on Wine: all processes are the same user's")
	case name == "":
		t.Skip("skipped: " + strangerName + " does not name a second user")
	}
	arguments := make([]uintptr, 3)
	for i, text := range []string{name, ".", password} {
		p, err := windows.UTF16PtrFromString(text)
		if err != nil {
			t.Fatal(err)
		}
		arguments[i] = uintptr(unsafe.Pointer(p))
	}
	const interactive, defaultProvider = 2, 0
	var token windows.Token
	ok, _, err := logonUser.Call(append(arguments, interactive, defaultProvider, uintptr(unsafe.Pointer(&token)))...)
	if ok == 0 {
		t.Fatalf("LogonUser %s: %v", name, err)
	}
	t.Cleanup(func() { token.Close() })
	subject, err := subjectOf(token)
	if err != nil {
		t.Fatal(err)
	}
	if subject.user == user() || subject.admin {
		t.Fatalf("%s is this user, or an administrator", name)
	}
	return &stranger{t, token, subject.user}
}

// do calls f as the stranger.
func (s *stranger) do(f func() error) error {
	s.t.Helper()
	_, err := impersonating(s.t, func() error {
		if ok, _, err := impersonateLoggedOnUser.Call(uintptr(s.token)); ok == 0 {
			return err
		}
		return nil
	}, f)
	return err
}

// dial opens a pipe as the stranger does.
func (s *stranger) dial(id pipeID) (h windows.Handle, err error) {
	s.t.Helper()
	name, err := windows.UTF16PtrFromString(id.pipeName())
	if err != nil {
		s.t.Fatal(err)
	}
	err = s.do(func() (err error) { h, err = openPipe(name); return err })
	return h, err
}

// By default nobody else gets in, nor learns what the pipe is called.
func TestStrangersAreNotLetIn(t *testing.T) {
	s := newStranger(t)
	path := filepath.Join(testenv.TempDir(t), "socket")
	l := listen(t, path)
	if h, err := s.dial(l.id); err != windows.ERROR_ACCESS_DENIED {
		windows.CloseHandle(h)
		t.Errorf("a stranger opens the pipe: %v", err)
	}
	if err := s.do(func() error { _, _, err := readSocketFile(path); return err }); err != syscall.EACCES {
		t.Errorf("a stranger reads the socket file: %v", err)
	}
}

// A stranger that has been let in is known as itself, and is not trusted. It can neither serve
// others nor be taken for the process that it borrows.
func TestStrangersThatAreLetIn(t *testing.T) {
	s := newStranger(t)
	l, err := system.Listen(abstractName(t), stream,
		pipe.Options{SecurityDescriptor: "D:P(A;;GA;;;" + user() + ")(A;;0x12019b;;;WD)"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	id := l.(*Listener).id
	h, err := s.dial(id)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newPipe(h, newOrigin(h, false, user()))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	a := accept(t, l)
	proof, err := b.Proof()
	if err != nil {
		t.Fatal(err)
	}
	write(t, b, proof)
	read(t, a)
	onHandle(t, a, func(h windows.Handle) {
		if client, err := clientSubject(h); err != nil || client.user != s.sid || client.trusted() {
			t.Errorf("the client is %+v, %v; want %s, who is not trusted", client, err, s.sid)
		}
	})
	// The client's end was opened by this process on the stranger's behalf: the process that opened
	// it and the user that opened it do not fit.
	if who, can, err := a.Identify(proof); err == nil && (who.SID != s.sid || can != 0) {
		t.Errorf("he is taken for %+v, with abilities %d", who, can)
	}
	attributes, err := securityAttributes("")
	if err != nil {
		t.Fatal(err)
	}
	err = s.do(func() error {
		in, err := newInstance(id, attributes, false)
		if err == nil {
			in.close()
		}
		return err
	})
	if err != syscall.EACCES {
		t.Errorf("a stranger makes an instance of the pipe: %v, want EACCES", err)
	}
}

// By default a plain client of another user is not let in, and with Mode 0666 it is, though it asks
// for GENERIC_WRITE, as plain clients do, which includes the right to serve. It does not get that.
func TestStrangersAtAPublicName(t *testing.T) {
	s := newStranger(t)
	closed := listen(t, publicName())
	if h, err := s.dialPlain(closed.public.pipe); err != windows.ERROR_ACCESS_DENIED {
		windows.CloseHandle(h)
		t.Errorf("by default: %v", err)
	}
	source, err := system.Listen(publicName(), stream, pipe.Options{Mode: 0o666})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	l := source.(*Listener)
	h, err := s.dialPlain(l.public.pipe)
	if err != nil {
		t.Fatalf("with Mode 0666: %v", err)
	}
	defer windows.CloseHandle(h)
	g := acceptGuest(t, l)
	stream, err := g.(*Guest).Stream()
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	err = s.do(func() error { // the system tells who has written, and not who has opened
		var n uint32
		return windows.WriteFile(h, []byte("x"), &n, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	// This process has opened the end on the stranger's behalf, and so is not named.
	if peer, sure, err := stream.Peer(); err != nil || !sure || peer.SID != s.sid || peer.PID != 0 {
		t.Errorf("once something was read, the client is %+v, %v, %v; want %s", peer, sure, err, s.sid)
	}
	attributes, err := securityAttributes("")
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEntrance(l.public.pipe, byteMode, publicQuota, attributes, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	if err := s.do(func() error { return e.add(false) }); err != syscall.EACCES {
		t.Errorf("a stranger makes an instance of the public pipe: %v, want EACCES", err)
	}
}

// dialPlain opens a pipe as a plain client of the stranger's does.
func (s *stranger) dialPlain(pipe string) (h windows.Handle, err error) {
	s.t.Helper()
	name, err := windows.UTF16PtrFromString(pipe)
	if err != nil {
		s.t.Fatal(err)
	}
	err = s.do(func() (err error) {
		h, err = windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil, windows.OPEN_EXISTING, 0, 0)
		return err
	})
	return h, err
}

// A public name that a stranger has is refused.
func TestListenRefusesThePublicNameOfAStranger(t *testing.T) {
	s := newStranger(t)
	name := publicName()
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		t.Fatal(err)
	}
	var h windows.Handle
	err = s.do(func() (err error) {
		h, err = windows.CreateNamedPipe(path, windows.PIPE_ACCESS_DUPLEX, windows.PIPE_TYPE_BYTE, windows.PIPE_UNLIMITED_INSTANCES, 0, 0, 0, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if l, err := system.Listen(name, stream, pipe.Options{}); err != errPublicTaken {
		if err == nil {
			l.Close()
		}
		t.Errorf("%v, want EADDRINUSE", err)
	}
	windows.CloseHandle(h)
	listen(t, name)
}
