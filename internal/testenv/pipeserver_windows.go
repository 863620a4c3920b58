package testenv

import (
	"crypto/rand"
	"testing"

	"golang.org/x/sys/windows"
)

// A PipeServer is somebody else's pipe, which waits for its client.
type PipeServer struct {
	Name  string // without what is in front of it
	event windows.Handle
}

// NewPipeServer returns one that ends with the test.
func NewPipeServer(t testing.TB) *PipeServer {
	t.Helper()
	s := &PipeServer{Name: "afunix-test-" + rand.Text()}
	path, err := windows.UTF16PtrFromString(`\\.\pipe\` + s.Name)
	if err != nil {
		t.Fatal(err)
	}
	h, err := windows.CreateNamedPipe(path, windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_OVERLAPPED,
		windows.PIPE_TYPE_BYTE, 1, 0, 0, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.event, err = windows.CreateEvent(nil, 1, 0, nil); err != nil {
		t.Fatal(err)
	}
	o := &windows.Overlapped{HEvent: s.event}
	if err := windows.ConnectNamedPipe(h, o); err != windows.ERROR_IO_PENDING {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var n uint32
		windows.CancelIoEx(h, o)
		windows.GetOverlappedResult(h, o, &n, true)
		windows.CloseHandle(s.event)
		windows.CloseHandle(h)
	})
	return s
}

// Visited reports whether somebody has come.
func (s *PipeServer) Visited() bool {
	state, err := windows.WaitForSingleObject(s.event, 0)
	return err != nil || state != uint32(windows.WAIT_TIMEOUT)
}
