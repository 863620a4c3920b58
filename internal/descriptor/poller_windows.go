package descriptor

import "golang.org/x/sys/windows"

// KeepOffPoller keeps a received handle off the poller of Go's runtime, whoever opens it as a file
// or a socket. A file object is bound to one completion port for good, and the sender's process
// shares it: what that does with it would be posted to our port, with pointers into memory of
// another process. So it is bound to a port that nobody reads, and which goes with the file;
// package os then waits with an event for each operation. Binding fails for handles that are not
// overlapped, and for those that are bound already: both are what is wanted.
func KeepOffPoller(v uintptr) {
	if port, err := windows.CreateIoCompletionPort(windows.Handle(v), 0, 0, 1); err == nil {
		windows.CloseHandle(port)
	}
}
