package descriptor

import "golang.org/x/sys/windows"

// KeepOffPoller keeps a received handle off the poller of Go's runtime, whatever package opens it
// as a file or a socket. A file object is bound to one completion port for good, and the sender's
// process shares the file object: I/O of the sender would be posted to this process's port, with
// pointers into the sender's memory. So the file object is bound to a port that nobody reads, and
// which goes with it. Package os then waits with an event for each operation. Binding fails for
// handles that are not overlapped, and for handles that are bound already: in both cases nothing
// more is to be done.
func KeepOffPoller(v uintptr) {
	if port, err := windows.CreateIoCompletionPort(windows.Handle(v), 0, 0, 1); err == nil {
		windows.CloseHandle(port)
	}
}
