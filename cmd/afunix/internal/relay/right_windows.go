package relay

import (
	"afunix"

	"golang.org/x/sys/windows"
)

// closeDescriptor closes a handle or a socket. Nobody can do anything about an error.
func closeDescriptor(d afunix.Descriptor, k afunix.Kind) {
	switch k {
	case afunix.KindStream, afunix.KindListener, afunix.KindDatagram, afunix.KindUnix, afunix.KindUnixListener:
		_ = windows.Closesocket(windows.Handle(d))
	default:
		_ = windows.CloseHandle(windows.Handle(d))
	}
}
