package winpipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
	"afunix/internal/pipe"
	"afunix/internal/sock"

	"afunix/internal/testenv"
)

func user() string { return cred.Self().SID }

// abstractName returns a name that no other test has.
func abstractName(t *testing.T) string { return fmt.Sprintf("@%s-%d", t.Name(), os.Getpid()) }

func listen(t *testing.T, address string) *Listener {
	t.Helper()
	l, err := system.Listen(address, stream, pipe.Options{})
	if err != nil {
		t.Fatalf("Listen(%q): %v", address, err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*Listener)
}

func dial(t *testing.T, address string) *Pipe {
	t.Helper()
	p, err := system.Dial(t.Context(), address, "", stream)
	if err != nil {
		t.Fatalf("Dial(%q): %v", address, err)
	}
	t.Cleanup(func() { p.Close() })
	return p.(*Pipe)
}

func accept(t *testing.T, l pipe.Source) *Pipe {
	t.Helper()
	var p pipe.Pipe
	err := within(t, "Accept", func() (err error) { p, err = l.Accept(); return err })
	if err != nil {
		t.Fatalf("Accept: %v", err)
	}
	t.Cleanup(func() { p.Close() })
	return p.(*Pipe)
}

func TestClientReachesListenerByPathAndByName(t *testing.T) {
	for _, address := range []string{filepath.Join(testenv.TempDir(t), "socket"), abstractName(t)} {
		l := listen(t, address)
		client := dial(t, address)
		server := accept(t, l)
		write(t, client, []byte("to the server"))
		write(t, server, []byte("to the client"))
		if got := string(read(t, server)); got != "to the server" {
			t.Errorf("%s: the server got %q", address, got)
		}
		if got := string(read(t, client)); got != "to the client" {
			t.Errorf("%s: the client got %q", address, got)
		}
	}
}

func TestTwentyClientsAtOnceAreServedInTheirOrder(t *testing.T) {
	address := abstractName(t)
	l := listen(t, address)
	const clients = 20
	failed := make(chan error, clients)
	for range clients {
		go func() {
			p, err := system.Dial(context.Background(), address, "", stream)
			if err != nil {
				failed <- err
				return
			}
			defer p.Close()
			if err = p.Write([]byte("ping"), nil); err == nil {
				var answer []byte
				if answer, err = tryRead(p); err == nil && string(answer) != "pong" {
					err = fmt.Errorf("answer %q", answer)
				}
			}
			failed <- err
		}()
	}
	for range clients {
		server := accept(t, l)
		if got := string(read(t, server)); got != "ping" {
			t.Errorf("got %q", got)
		}
		write(t, server, []byte("pong"))
	}
	for range clients {
		if err := within(t, "a client", func() error { return <-failed }); err != nil {
			t.Error(err)
		}
	}
}

func TestClientsAreAcceptedInTheOrderInWhichTheyCame(t *testing.T) {
	address := abstractName(t)
	l := listen(t, address)
	for round := range 3 {
		for i := range l.private.size {
			write(t, dial(t, address), []byte{byte(round), byte(i)})
		}
		for i := range l.private.size {
			if got := read(t, accept(t, l)); got[0] != byte(round) || got[1] != byte(i) {
				t.Errorf("round %d: client %v was accepted as number %d", round, got, i)
			}
		}
	}
}

func TestClientThatIsGoneBeforeAcceptIsStillAccepted(t *testing.T) {
	address := abstractName(t)
	l := listen(t, address)
	client := dial(t, address)
	write(t, client, []byte("hello and goodbye"))
	client.Close()
	server := accept(t, l)
	if got := string(read(t, server)); got != "hello and goodbye" {
		t.Errorf("got %q", got)
	}
	if _, err := tryRead(server); err != io.EOF {
		t.Errorf("then: %v, want EOF", err)
	}
	if got := server.origin.pid; got != uint32(os.Getpid()) {
		t.Errorf("the client's number is %d, want %d", got, os.Getpid())
	}
}

func TestClientWaitsForAnInstance(t *testing.T) {
	address := abstractName(t)
	l := listen(t, address)
	for range l.private.size {
		dial(t, address)
	}
	connected := make(chan error, 1)
	go func() {
		p, err := system.Dial(context.Background(), address, "", stream)
		if err == nil {
			err = p.Close()
		}
		connected <- err
	}()
	accept(t, l)
	if err := within(t, "Dial", func() error { return <-connected }); err != nil {
		t.Errorf("Dial while an instance was being made: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for { // fills what Accept has made
		p, err := system.Dial(ctx, address, "", stream)
		if err != nil {
			if err != context.DeadlineExceeded {
				t.Errorf("Dial with a context that ends: %v", err)
			}
			return
		}
		defer p.Close()
	}
}

func TestCloseWakesAccept(t *testing.T) {
	l := listen(t, abstractName(t))
	result := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := l.Accept()
			result <- err
		}()
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := within(t, "Accept", func() error { return <-result }); err != net.ErrClosed {
			t.Errorf("Accept: %v, want net.ErrClosed", err)
		}
	}
	if err := l.Close(); err != net.ErrClosed {
		t.Errorf("second Close: %v, want net.ErrClosed", err)
	}
}

func TestBindErrors(t *testing.T) {
	dir := testenv.TempDir(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	listen(t, path("taken"))
	listen(t, abstractName(t))
	if err := os.WriteFile(path("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, address string
		want          error
	}{
		{"a socket is there", path("taken"), syscall.EADDRINUSE},
		{"a file is there", path("file"), syscall.EADDRINUSE},
		{"a directory is there", dir, syscall.EADDRINUSE},
		{"the abstract name is taken", abstractName(t), syscall.EADDRINUSE},
		{"no such directory", path("missing/socket"), syscall.ENOENT},
		{"no such directories", path("missing/too/socket"), syscall.ENOENT},
		{"a file as directory", path("file/socket"), syscall.ENOTDIR},
		{"a file as grandparent", path("file/too/socket"), syscall.ENOTDIR},
		{"no name", "", syscall.EINVAL},
		{"a NUL in the path", path("a\x00b"), syscall.EINVAL},
		{"an abstract name of 109 bytes", "@" + strings.Repeat("x", 108), syscall.EINVAL},
	} {
		l, err := system.Listen(test.address, stream, pipe.Options{})
		if err == nil {
			l.Close()
		}
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	if _, err := system.Listen(path("type"), 3, pipe.Options{}); err != syscall.EINVAL {
		t.Errorf("socket type 3: %v, want EINVAL", err)
	}
	if _, err := system.Listen(path("sddl"), stream, pipe.Options{SecurityDescriptor: "nonsense"}); err != syscall.EINVAL {
		t.Errorf("bad SDDL: %v, want EINVAL", err)
	}
	for _, name := range []string{"type", "sddl"} {
		if _, err := os.Stat(path(name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a refused bind left a file", name)
		}
	}
}

func TestLongestNamesCanBeBound(t *testing.T) {
	dir := testenv.TempDir(t)
	path := filepath.Join(dir, strings.Repeat("x", pipe.MaxName-1-len(dir)-1))
	abstract := abstractName(t)
	abstract += strings.Repeat("y", pipe.MaxName-len(abstract))
	for _, address := range []string{path, abstract} {
		l := listen(t, address)
		dial(t, address)
		accept(t, l)
	}
}

func TestConnectErrors(t *testing.T) {
	dir := testenv.TempDir(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	listen(t, path("stream"))
	stale := listen(t, path("stale"))
	stale.SetUnlinkOnClose(false)
	stale.Close()
	for name, content := range map[string]string{"file": "some text", "empty": "", "truncated": exampleFile[:40], "gone": exampleFile} {
		if err := os.WriteFile(path(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name, address string
		socketType    sock.Type
		want          error
	}{
		{"nothing there", path("missing"), stream, syscall.ENOENT},
		{"no such directory", path("missing/socket"), stream, syscall.ENOENT},
		{"a file as directory", path("file/socket"), stream, syscall.ENOTDIR},
		{"a file", path("file"), stream, syscall.ECONNREFUSED},
		{"an empty file", path("empty"), stream, syscall.ECONNREFUSED},
		{"half a socket file", path("truncated"), stream, syscall.ECONNREFUSED},
		{"a directory", dir, stream, syscall.ECONNREFUSED},
		{"a listener that closed", path("stale"), stream, syscall.ECONNREFUSED},
		{"a listener that crashed", path("gone"), stream, syscall.ECONNREFUSED},
		{"another type", path("stream"), seqpacket, syscall.EPROTOTYPE},
		{"another type, stale", path("stale"), seqpacket, syscall.ECONNREFUSED},
		{"no such abstract name", abstractName(t), stream, syscall.ECONNREFUSED},
		{"no name", "", stream, syscall.EINVAL},
		{"a path of 108 bytes", strings.Repeat("x", 108), datagram, syscall.EINVAL},
		{"an abstract name of 109 bytes", "@" + strings.Repeat("x", 108), stream, syscall.EINVAL},
		{"socket type 0", path("stream"), 0, syscall.EINVAL},
	} {
		p, err := system.Dial(t.Context(), test.address, "", test.socketType)
		if err == nil {
			p.Close()
		}
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestFileThatMayNotBeReadIsEACCES(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "locked")
	name, _ := windows.UTF16PtrFromString(path)
	h, err := windows.CreateFile(name, windows.GENERIC_WRITE, 0, nil, windows.CREATE_NEW, 0, 0) // and shares nothing
	if err != nil {
		t.Fatal(err)
	}
	defer windows.CloseHandle(h)
	if _, err := system.Dial(t.Context(), path, "", stream); err != syscall.EACCES {
		t.Errorf("Dial: %v, want EACCES", err)
	}
}

func TestSocketFileOfAnotherUserIsEACCES(t *testing.T) {
	if onWine() {
		t.Skip("skipped on Wine: access control lists of files are not enforced")
	}
	path := filepath.Join(testenv.TempDir(t), "socket")
	l, err := system.Listen(path, stream, pipe.Options{SecurityDescriptor: "D:P(A;;GA;;;SY)(A;;SD;;;" + user() + ")"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := system.Dial(t.Context(), path, "", stream); err != syscall.EACCES {
		t.Errorf("Dial: %v, want EACCES", err)
	}
}

func TestNativeSocketIsRecognised(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "native")
	native, err := net.Listen("unix", path)
	if err != nil {
		t.Skipf("skipped: this system (Wine) has no AF_UNIX: %v", err)
	}
	defer native.Close()
	if _, err := system.Dial(t.Context(), path, "", stream); err != pipe.ErrNativeSocket {
		t.Errorf("Dial: %v, want ErrNativeSocket", err)
	}
	if _, err := system.Listen(path, stream, pipe.Options{}); err != syscall.EADDRINUSE {
		t.Errorf("Listen: %v, want EADDRINUSE", err)
	}
}

func TestCloseRemovesItsOwnSocketFileOnly(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "socket")
	l := listen(t, path)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close: %v, want no file", err)
	}

	old := listen(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	listen(t, path)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	dial(t, path) // the other listener's file is still there

	kept := listen(t, path+"2")
	kept.SetUnlinkOnClose(false)
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "2"); err != nil {
		t.Errorf("a file that should stay: %v", err)
	}
}

func TestRefusedBindLeavesNothingBehind(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "socket")
	listen(t, path)
	if _, err := system.Listen(path, stream, pipe.Options{}); err != syscall.EADDRINUSE {
		t.Fatal(err)
	}
	dial(t, path)
}

// A connection outlives its listener, and its pipe's name with it: that must neither keep the name
// from being bound again nor make clients wait.
func TestConnectionsThatOutliveTheirListenerDoNotHoldItsName(t *testing.T) {
	name := abstractName(t)
	path := filepath.Join(testenv.TempDir(t), "socket")
	for _, address := range []string{name, path} {
		first := listen(t, address)
		client := dial(t, address)
		server := accept(t, first)
		first.SetUnlinkOnClose(false)
		first.Close()

		start := time.Now()
		if _, err := system.Dial(t.Context(), address, "", stream); err != syscall.ECONNREFUSED {
			t.Errorf("%s: Dial without a listener: %v, want ECONNREFUSED", address, err)
		}
		if waited := time.Since(start); waited > busyLimit/2 {
			t.Errorf("%s: Dial without a listener took %v", address, waited)
		}
		if address == path {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		second := listen(t, address)
		write(t, dial(t, address), []byte("to the second"))
		if got := string(read(t, accept(t, second))); got != "to the second" {
			t.Errorf("%s: got %q", address, got)
		}
		write(t, client, []byte("still there"))
		if got := string(read(t, server)); got != "still there" {
			t.Errorf("%s: got %q", address, got)
		}
	}
}

func TestAbstractNamesOfDifferentTypesAreDifferentNames(t *testing.T) {
	name := abstractName(t)
	listen(t, name)
	l, err := system.Listen(name, seqpacket, pipe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := system.Dial(t.Context(), name, "", datagram); err != syscall.ECONNREFUSED {
		t.Errorf("Dial of the third type: %v, want ECONNREFUSED", err)
	}
}

func TestPipeOfAnotherOwnerIsRefused(t *testing.T) {
	const stranger = "S-1-5-21-1-2-3-1001"
	for _, test := range []struct {
		pipe, file string
		want       error
	}{
		{user(), "", nil}, {systemSID, "", nil}, {administratorsSID, "", nil}, {stranger, "", syscall.EACCES},
		{user(), user(), nil}, {stranger, stranger, nil}, // the listener let us read its file
		{stranger, user(), syscall.EACCES}, {user(), stranger, syscall.EACCES}, {systemSID, user(), syscall.EACCES},
		{user(), everyoneSID, nil}, {stranger, everyoneSID, syscall.EACCES},
	} {
		if err := verifyOwner(test.pipe, test.file); err != test.want {
			t.Errorf("pipe of %s, file of %q: %v, want %v", test.pipe, test.file, err, test.want)
		}
	}
}
