//go:build unix

package inherit

import (
	"os"
	"os/exec"

	"afunix/internal/descriptor"

	"golang.org/x/sys/unix"
)

// A Legacy is a descriptor that a child inherits.
type Legacy struct{ *os.File }

// firstExtra is the descriptor of cmd.ExtraFiles[0] in the child.
const firstExtra = 3

func newLegacy(fd uintptr) (*Legacy, error) {
	dup, err := descriptor.System.Dup(fd, descriptor.Unix)
	if err != nil {
		return nil, err
	}
	return &Legacy{os.NewFile(dup, "attached")}, nil
}

// attach makes cmd hand the descriptor down, and completes what the child is told.
func (l *Legacy) attach(cmd *exec.Cmd, b Bequest) Bequest {
	b.Value = uintptr(firstExtra + len(cmd.ExtraFiles))
	b.Mark, _ = socketMark(l.Fd()) // without one the child finds none, either
	cmd.ExtraFiles = append(cmd.ExtraFiles, l.File)
	return b
}

// socketMark is the inode of a socket: somebody in between may have closed our descriptors, and
// others have their numbers now.
func socketMark(fd uintptr) (uint64, bool) {
	var st unix.Stat_t
	if err := unix.Fstat(int(fd), &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return 0, false
	}
	return uint64(st.Ino), true
}

// secure keeps an inherited descriptor from the children of this process. It reports whether there
// is such a one. Package exec has made it blocking.
func secure(b Bequest) bool {
	mark, ok := socketMark(b.Value)
	if !ok || mark != b.Mark {
		return false
	}
	unix.CloseOnExec(int(b.Value))
	return unix.SetNonblock(int(b.Value), true) == nil
}
