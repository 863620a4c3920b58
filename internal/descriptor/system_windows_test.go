package descriptor

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"

	"afunix/internal/testenv"
)

// handle returns the handle of an os.File or a network connection. The caller keeps that alive.
func handle(t *testing.T, c syscall.Conn) uintptr {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var v uintptr
	if err := raw.Control(func(fd uintptr) { v = fd }); err != nil {
		t.Fatal(err)
	}
	return v
}

// must returns the handle that a Windows call made, and closes it at the end of the test.
func must(t *testing.T, h windows.Handle, err error) uintptr {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { windows.CloseHandle(h) })
	return uintptr(h)
}

// anonymousSocket returns a socket that has neither name nor connection.
func anonymousSocket(t *testing.T, family, typ int) uintptr {
	t.Helper()
	h, err := windows.Socket(family, typ, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { windows.Closesocket(h) })
	return uintptr(h)
}

var procGetHandleInformation = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetHandleInformation")

func utf16(s string) *uint16 { p, _ := windows.UTF16PtrFromString(s); return p }

var kindTests = []struct {
	name string
	kind Kind
	open func(t *testing.T) uintptr
}{
	{"file", File, func(t *testing.T) uintptr {
		f, err := os.Create(filepath.Join(testenv.TempDir(t), "file"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return handle(t, f)
	}},
	{"file for appending only", File, func(t *testing.T) uintptr {
		name := utf16(filepath.Join(testenv.TempDir(t), "file"))
		h, err := windows.CreateFile(name, windows.FILE_APPEND_DATA, 0, nil, windows.CREATE_NEW, 0, 0)
		return must(t, h, err)
	}},
	{"directory", Directory, func(t *testing.T) uintptr {
		h, err := windows.CreateFile(utf16(testenv.TempDir(t)), windows.GENERIC_READ,
			windows.FILE_SHARE_READ|windows.FILE_SHARE_DELETE,
			nil, windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
		return must(t, h, err)
	}},
	{"anonymous pipe", Pipe, func(t *testing.T) uintptr {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		return handle(t, w)
	}},
	{"named pipe", Pipe, func(t *testing.T) uintptr {
		h, err := windows.CreateNamedPipe(utf16(`\\.\PIPE\afunix-descriptor-test`),
			windows.PIPE_ACCESS_DUPLEX, 0, 1, 0, 0, 0, nil)
		return must(t, h, err)
	}},
	{"TCP listener", Listener, func(t *testing.T) uintptr {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		return handle(t, ln.(*net.TCPListener))
	}},
	{"TCP socket", Stream, func(t *testing.T) uintptr { return anonymousSocket(t, windows.AF_INET, windows.SOCK_STREAM) }},
	{"UDP socket", Datagram, func(t *testing.T) uintptr { return anonymousSocket(t, windows.AF_INET6, windows.SOCK_DGRAM) }},
	{"section", Memory, func(t *testing.T) uintptr {
		h, err := windows.CreateFileMapping(windows.InvalidHandle, nil, windows.PAGE_READWRITE, 0, 4096, nil)
		return must(t, h, err)
	}},
	{"event", Event, func(t *testing.T) uintptr {
		h, err := windows.CreateEvent(nil, 1, 0, nil)
		return must(t, h, err)
	}},
	{"process", Process, func(t *testing.T) uintptr {
		h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(os.Getpid()))
		return must(t, h, err)
	}},
	{"mutex", Other, func(t *testing.T) uintptr {
		h, err := windows.CreateMutex(nil, false, nil)
		return must(t, h, err)
	}},
	{"job", Other, func(t *testing.T) uintptr {
		h, err := windows.CreateJobObject(nil, nil)
		return must(t, h, err)
	}},
	{"thread", Other, func(t *testing.T) uintptr {
		h, err := windows.OpenThread(windows.SYNCHRONIZE, false, windows.GetCurrentThreadId())
		return must(t, h, err)
	}},
	{"token", Other, func(t *testing.T) uintptr {
		var token windows.Token
		err := windows.OpenProcessToken(windows.CurrentProcess(), windows.TOKEN_QUERY, &token)
		return must(t, windows.Handle(token), err)
	}},
	{"registry key", Other, func(t *testing.T) uintptr {
		var key windows.Handle
		err := windows.RegOpenKeyEx(windows.HKEY_LOCAL_MACHINE, utf16("Software"), 0, windows.KEY_READ, &key)
		return must(t, key, err)
	}},
	{"NUL", Other, func(t *testing.T) uintptr {
		h, err := windows.CreateFile(utf16("NUL"), windows.GENERIC_READ, 0, nil, windows.OPEN_EXISTING, 0, 0)
		return must(t, h, err)
	}},
	{"completion port", Other, func(t *testing.T) uintptr {
		h, err := windows.CreateIoCompletionPort(windows.InvalidHandle, 0, 0, 0)
		return must(t, h, err)
	}},
}

func TestEveryHandleIsToldAndDuplicatedAsWhatItIs(t *testing.T) {
	for _, test := range kindTests {
		t.Run(test.name, func(t *testing.T) {
			v := test.open(t)
			expectKind(t, v, test.kind)
			if err := Sendable(v, test.kind); (err != nil) != (test.name == "completion port") {
				t.Errorf("Sendable = %v", err)
			}
			dup, err := System.Dup(v, test.kind)
			if err != nil {
				t.Fatalf("Dup: %v", err)
			}
			expectKind(t, dup, test.kind)
			expectNotInherited(t, dup)
			if err := System.Close(dup, test.kind); err != nil {
				t.Errorf("Close: %v", err)
			}
			expectKind(t, v, test.kind) // the original is as it was
		})
	}
}

func expectKind(t *testing.T, v uintptr, want Kind) {
	t.Helper()
	if got, err := System.Kind(v); got != want || err != nil {
		t.Errorf("Kind(%#x) = %v, %v; want %v", v, got, err, want)
	}
}

func expectNotInherited(t *testing.T, v uintptr) {
	t.Helper()
	var flags uint32
	ok, _, err := procGetHandleInformation.Call(v, uintptr(unsafe.Pointer(&flags)))
	if ok == 0 || flags&windows.HANDLE_FLAG_INHERIT != 0 {
		t.Errorf("flags of %#x = %#x (%v): a child would inherit it", v, flags, err)
	}
}

// Windows' own AF_UNIX sockets, which Wine lacks (error 10047).
func TestUnixSocketsAreToldFromTCP(t *testing.T) {
	h, err := windows.Socket(windows.AF_UNIX, windows.SOCK_STREAM, 0)
	if err != nil {
		t.Skipf("skipped: this system (Wine) has no AF_UNIX: %v", err)
	}
	defer windows.Closesocket(h)
	expectKind(t, uintptr(h), Unix)
	if err := windows.Bind(h, &windows.SockaddrUnix{Name: filepath.Join(testenv.TempDir(t), "s")}); err != nil {
		t.Fatal(err)
	}
	if err := windows.Listen(h, 1); err != nil {
		t.Fatal(err)
	}
	expectKind(t, uintptr(h), UnixListener)
}

func TestConsoleIsATerminalAndNotSendable(t *testing.T) {
	for _, access := range []uint32{windows.GENERIC_READ | windows.GENERIC_WRITE, windows.GENERIC_WRITE} {
		h, err := windows.CreateFile(utf16("CONOUT$"), access, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE,
			nil, windows.OPEN_EXISTING, 0, 0)
		if err != nil {
			t.Skipf("skipped: this process has no console: %v", err)
		}
		defer windows.CloseHandle(h)
		expectKind(t, uintptr(h), Terminal)
	}
}

func TestTerminalsAreNotSendable(t *testing.T) {
	if err := Sendable(4, Terminal); !errors.Is(err, ErrNotSendable) {
		t.Errorf("Sendable(Terminal) = %v, want ErrNotSendable", err)
	}
}

func TestWhatIsNotAHandleIsEBADF(t *testing.T) {
	closed := func() uintptr {
		h, err := windows.CreateEvent(nil, 1, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		windows.CloseHandle(h)
		return uintptr(h)
	}()
	values := []uintptr{0, 1, closed, closed | 3, 1 << 31, uintptr(windows.InvalidHandle), 0xFFFFFFFF, 0xFFFFFFF4}
	for pseudo := uintptr(1); pseudo <= 12; pseudo++ {
		values = append(values, -pseudo)
	}
	for _, v := range values {
		if _, err := System.Kind(v); err != syscall.EBADF {
			t.Errorf("Kind(%#x): %v, want EBADF", v, err)
		}
		if _, err := System.Dup(v, Event); err != syscall.EBADF {
			t.Errorf("Dup(%#x): %v, want EBADF", v, err)
		}
		if _, err := System.Dup(v, Stream); err != syscall.EBADF {
			t.Errorf("Dup(%#x) as a socket: %v, want EBADF", v, err)
		}
		if err := System.Close(v, Event); err != syscall.EBADF {
			t.Errorf("Close(%#x): %v, want EBADF", v, err)
		}
	}
}

// A socket that was duplicated by DuplicateHandle reads and writes, but is no socket to Winsock;
// Dup's is.
func TestDuplicatedSocketIsASocketToWinsock(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dup, err := System.Dup(handle(t, ln.(*net.TCPListener)), Listener)
	if err != nil {
		t.Fatal(err)
	}
	defer System.Close(dup, Listener)
	name, err := windows.Getsockname(windows.Handle(dup))
	if err != nil {
		t.Fatal(err)
	}
	if port := name.(*windows.SockaddrInet4).Port; port != ln.Addr().(*net.TCPAddr).Port {
		t.Errorf("the duplicate has port %d, the original %v", port, ln.Addr())
	}
}

func TestObjectTypeNamesTheKernelsType(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if name, err := ObjectType(handle(t, r)); err != nil || !strings.EqualFold(name, "File") {
		t.Errorf("ObjectType of a pipe = %q, %v; want File", name, err)
	}
}

// The calls fill structures that are declared here; their sizes are those of the C headers.
func TestStructuresHaveTheSizesOfTheHeaders(t *testing.T) {
	if size := unsafe.Sizeof(windows.WSAProtocolInfo{}); size != 628 {
		t.Errorf("sizeof(WSAPROTOCOL_INFOW) = %d, want 628", size)
	}
}
