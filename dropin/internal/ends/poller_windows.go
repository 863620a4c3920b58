package ends

import (
	"afunix"

	"golang.org/x/sys/windows"
)

// keepOffPoller keeps whoever gets the received handle d from binding it to the poller of Go's runtime: see newFile of package
// afunix. Of a socket, too, os.NewFile would do so.
func keepOffPoller(d afunix.Descriptor) {
	if port, err := windows.CreateIoCompletionPort(windows.Handle(d), 0, 0, 1); err == nil {
		windows.CloseHandle(port)
	}
}
