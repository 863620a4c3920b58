package bench

import "golang.org/x/sys/windows"

// acknowledges is false: handles are pushed, so they are the receiver's before the message is.
const acknowledges = false

// A neighbour is the process at the other end. The zero value is none.
type neighbour struct{ process windows.Handle }

func openNeighbour(pid int) (neighbour, error) {
	h, err := windows.OpenProcess(windows.PROCESS_DUP_HANDLE, false, uint32(pid))
	return neighbour{h}, err
}

func (n neighbour) isOpen() bool { return n.process != 0 }
func (n neighbour) close()       { windows.CloseHandle(n.process) }

// give duplicates v into the neighbour.
func (n neighbour) give(v uintptr) (uint64, error) {
	var theirs windows.Handle
	err := windows.DuplicateHandle(windows.CurrentProcess(), windows.Handle(v), n.process, &theirs,
		0, false, windows.DUPLICATE_SAME_ACCESS)
	return uint64(theirs), err
}

// takeAndClose closes a handle that the neighbour has put into this process.
func (n neighbour) takeAndClose(ours uint64) error { return windows.CloseHandle(windows.Handle(ours)) }
