package winpipe

import (
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"afunix/internal/descriptor"
)

// An examination finds out what handles are that a stranger chose. Of a handle for synchronous I/O
// every question but that for the type of its object waits until the operation is over that is
// pending on it, in whatever process, and so may I/O and even closing it; whether it is such a
// handle is one of those questions. So they are asked on a goroutine of their own, nobody waits for
// it for longer than examinationLimit, and before the handles have passed nothing is done with them
// that the system could hold up.
type examination struct {
	done   chan struct{} // closed with the verdict
	err    error         // the verdict: valid once done is closed
	looked chan struct{} // closed when nothing asks any more
}

// examinationLimit is how long the questions may take that are answered at once unless somebody
// means harm. (Tests have less time.)
var examinationLimit = 5 * time.Second

// examine starts an examination, which look carries out.
func examine(look func() error) *examination {
	x := &examination{done: make(chan struct{}), looked: make(chan struct{})}
	result := make(chan error, 1)
	go func() {
		defer close(x.looked)
		result <- look()
	}()
	go func() {
		late := time.NewTimer(examinationLimit)
		defer late.Stop()
		select {
		case x.err = <-result:
		case <-late.C:
			x.err = syscall.EPROTO
		}
		close(x.done)
	}()
	return x
}

// passed is the examination of handles that have already been looked at.
var passed = func() *examination {
	x := &examination{done: make(chan struct{}), looked: make(chan struct{})}
	close(x.looked)
	close(x.done)
	return x
}()

// verdict returns nil if the handles are what they should be; EAGAIN: that is not known yet.
func (x *examination) verdict() error {
	select {
	case <-x.done:
		return x.err
	default:
		return syscall.EAGAIN
	}
}

// close closes h, in the background if that might wait.
func (x *examination) close(h windows.Handle) error {
	if x.verdict() == nil {
		return errno(windows.CloseHandle(h))
	}
	go func() {
		<-x.looked
		windows.CloseHandle(h) // nobody is there to be told
	}()
	return nil
}

// isFile reports whether v is a handle of a file object, as those of pipes are, and anything else
// that can be read. Asking does not wait.
func isFile(v uintptr) bool {
	name, err := descriptor.ObjectType(v)
	return err == nil && name == "File"
}

// checkEnd checks that h is an end of a local pipe, on the side that it is said to be on, for
// overlapped I/O, and of that mode, PIPE_TYPE_… and PIPE_READMODE_…: EPROTO if not. A remote
// pipe would say about processes what its server likes. A process that keeps a duplicate of h can
// change at any time how messages are read. Then packets are not whole, or the pipe seems to have
// ended, but nothing waits.
func checkEnd(h windows.Handle, server bool, mode uint32) error {
	flags, err := pipeFlags(h)
	var state uint32
	if err == nil {
		err = windows.GetNamedPipeHandleState(h, &state, nil, nil, nil, nil, 0)
	}
	switch {
	case err != nil, isSynchronous(h),
		flags&windows.PIPE_SERVER_END != 0 != server,
		flags&windows.PIPE_TYPE_MESSAGE != mode&windows.PIPE_TYPE_MESSAGE,
		state != mode&windows.PIPE_READMODE_MESSAGE: // which is also if it is PIPE_NOWAIT
		return syscall.EPROTO
	}
	return nil
}

// isSynchronous reports whether h was opened for synchronous I/O, or does not say.
func isSynchronous(h windows.Handle) bool {
	const fileModeInformation = 16
	const synchronous = windows.FILE_SYNCHRONOUS_IO_ALERT | windows.FILE_SYNCHRONOUS_IO_NONALERT
	var status windows.IO_STATUS_BLOCK
	var mode uint32
	err := windows.NtQueryInformationFile(h, &status, (*byte)(unsafe.Pointer(&mode)),
		uint32(unsafe.Sizeof(mode)), fileModeInformation)
	return err != nil || mode&synchronous != 0
}

// pipeFlags returns what GetNamedPipeInfo says of h, if that belongs to a pipe of this machine, or
// an error.
func pipeFlags(h windows.Handle) (flags uint32, err error) {
	const (
		fileFsDeviceInformation = 4
		fileDeviceNamedPipe     = 0x11 // FILE_DEVICE_NAMED_PIPE
		fileRemoteDevice        = 0x10 // FILE_REMOTE_DEVICE
	)
	var status windows.IO_STATUS_BLOCK
	var device struct{ kind, characteristics uint32 } // FILE_FS_DEVICE_INFORMATION
	err = ntQueryVolumeInformationFile(h, &status, unsafe.Pointer(&device),
		uint32(unsafe.Sizeof(device)), fileFsDeviceInformation)
	switch {
	case err != nil:
		return 0, err
	case device.kind != fileDeviceNamedPipe || device.characteristics&fileRemoteDevice != 0:
		return 0, syscall.EPROTO
	}
	err = windows.GetNamedPipeInfo(h, &flags, nil, nil, nil)
	return flags, err
}

// checkServer checks that h belongs to the creator of the pipe of that name: EPROTO if not.
func checkServer(h windows.Handle, name string) error {
	var info struct { // FILE_NAME_INFO
		length uint32
		name   [1 + maxPipeName]uint16
	}
	flags, err := pipeFlags(h)
	if err == nil {
		err = windows.GetFileInformationByHandleEx(h, windows.FileNameInfo,
			(*byte)(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	}
	if err != nil || flags&windows.PIPE_SERVER_END == 0 || int(info.length) > 2*len(info.name) {
		return syscall.EPROTO
	}
	got := windows.UTF16ToString(info.name[:info.length/2])
	if !strings.EqualFold(strings.TrimPrefix(got, `\`), strings.TrimPrefix(name, device)) {
		return syscall.EPROTO
	}
	return nil
}
