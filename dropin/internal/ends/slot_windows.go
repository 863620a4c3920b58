package ends

import (
	"crypto/rand"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"

	"afunix/internal/locks"
)

// A key is a number and the name of the pipe that it had when it was made: a number alone could be
// another handle's by now.
type key struct {
	fd   int
	name string
}

// A given number is one that stands, or stood, for an end.
type given struct {
	name        string
	nonblocking bool
}

var numbers struct {
	mu locks.Mutex[locks.Numbers]
	m  map[int]given
}

// atOnce is the longest message that can be written to a number as if it were a socket. One that is
// longer ends the reference.
const atOnce = 64 << 10

// open makes a named pipe with one instance, of which nobody knows the name, and which keeps
// messages apart or not. The keeper is overlapped, so that it waits without a thread; the number is
// not, so that no completion port is ever involved.
func open(messages bool) (fd int, k key, keeper *os.File, err error) {
	mode := uint32(windows.PIPE_REJECT_REMOTE_CLIENTS)
	if messages {
		mode |= windows.PIPE_TYPE_MESSAGE | windows.PIPE_READMODE_MESSAGE
	}
	name := `\afunix-fd-` + rand.Text()
	path, err := windows.UTF16PtrFromString(`\\.\PIPE` + name)
	if err != nil {
		return -1, key{}, nil, err
	}
	server, err := windows.CreateNamedPipe(path,
		windows.PIPE_ACCESS_INBOUND|windows.FILE_FLAG_OVERLAPPED|windows.FILE_FLAG_FIRST_PIPE_INSTANCE,
		mode, 1, 0, atOnce, 0, nil)
	if err != nil {
		return -1, key{}, nil, os.NewSyscallError("CreateNamedPipe", err)
	}
	client, err := windows.CreateFile(path, windows.GENERIC_WRITE|windows.FILE_READ_ATTRIBUTES, 0,
		nil, windows.OPEN_EXISTING, 0, 0)
	if err != nil {
		windows.CloseHandle(server)
		return -1, key{}, nil, os.NewSyscallError("CreateFile", err)
	}
	fd = int(client)
	numbers.mu.Lock()
	defer numbers.mu.Unlock()
	if numbers.m == nil {
		numbers.m = make(map[int]given)
	}
	numbers.m[fd] = given{name: name}
	return fd, key{fd, name}, os.NewFile(uintptr(server), "keeper"), nil
}

// identify asks a handle for its name only if the handle may be one of this package's. To ask
// another handle may wait for what is pending on it.
func identify(fd int) (key, bool) {
	numbers.mu.Lock()
	g, ok := numbers.m[fd]
	numbers.mu.Unlock()
	return key{fd, g.name}, ok && pipeName(windows.Handle(fd)) == g.name
}

// pipeName returns the name of a pipe, without the name of the device.
func pipeName(h windows.Handle) string {
	var info struct { // FILE_NAME_INFO
		bytes uint32
		name  [64]uint16
	}
	err := windows.GetFileInformationByHandleEx(h, windows.FileNameInfo,
		(*byte)(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err != nil || int(info.bytes) > 2*len(info.name) {
		return "" // not one of ours
	}
	return windows.UTF16ToString(info.name[:info.bytes/2])
}

func closeFD(fd int) error { return windows.CloseHandle(windows.Handle(fd)) }

// abandoned reports whether the number is closed, and all that was written to it has been read.
func (s *slot) abandoned() (yes bool) {
	raw, err := s.keeper.SyscallConn()
	if err != nil {
		return false
	}
	// If the keeper is closed, somebody else has dropped the slot.
	_ = raw.Control(func(h uintptr) {
		yes = peekNamedPipe(windows.Handle(h), nil, 0, nil, nil, nil) == windows.ERROR_BROKEN_PIPE
	})
	return yes
}

// nonblocking reports what SetNonblock has set.
func nonblocking(fd int) bool {
	numbers.mu.Lock()
	defer numbers.mu.Unlock()
	return numbers.m[fd].nonblocking
}

// SetNonblock sets whether calls that name fd, a number of an end, may wait.
func SetNonblock(fd int, on bool) error {
	numbers.mu.Lock()
	defer numbers.mu.Unlock()
	g := numbers.m[fd]
	g.nonblocking = on
	numbers.m[fd] = g
	return nil
}
