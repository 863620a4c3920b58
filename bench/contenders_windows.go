package bench

import (
	"io"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"

	"afunix"
)

// Contenders are all that this system has, in the order in which they are run and shown.
func Contenders() []Contender {
	return []Contender{
		namedPipeContender(Winio, "go-winio's engine (NewOpenFile) on both ends of a message pipe; handles by hand",
			func(h windows.Handle) (io.ReadWriteCloser, error) { return winio.NewOpenFile(h) }),
		afunixContender(Pipe, "afunix, pipe transport", afunix.PipeTransport),
		namedPipeContender(Bare, "overlapped message pipe in an os.File, no protocol; handles by hand, with DuplicateHandle",
			openFile),
	}
}
