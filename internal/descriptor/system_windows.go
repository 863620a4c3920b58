package descriptor

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Socket options and flags that package windows lacks (winsock2.h, winbase.h).
const (
	soType         = 0x1008 // SO_TYPE
	soAcceptConn   = 0x0002 // SO_ACCEPTCONN
	fileTypeRemote = 0x8000 // FILE_TYPE_REMOTE: a flag in what GetFileType returns
)

// Kind asks for the object's type first, because Wine's GetFileType takes a section for a file, and
// that never waits. Of files it then asks what kind of file, and does not wait for long either: see
// [askKinds]. Where even that would be harmful, because a stranger chose the handle, use
// [ObjectType].
func (system) Kind(v uintptr) (Kind, error) {
	k, err := objectKind(v)
	if k != unasked {
		return k, err
	}
	asked := [1]Asked{{v, k}}
	_, err = askKinds(asked[:])
	return asked[0].Kind, err
}

// Kinds is Kind, but asks about all files at once.
func (system) Kinds(asked []Asked) (n int, err error) {
	for n < len(asked) && err == nil {
		if asked[n].Kind, err = objectKind(asked[n].Value); err == nil {
			n++
		}
	}
	if first, bad := askKinds(asked[:n]); bad != nil {
		return first, bad
	}
	return n, err
}

// objectKind returns the kind of what is no file. A file is unasked.
func objectKind(v uintptr) (Kind, error) {
	var t objectType
	if err := t.query(v); err != nil {
		return Other, err
	}
	switch {
	case t.is("File"):
		return unasked, nil
	case t.is("Section"):
		return Memory, nil
	case t.is("Event"):
		return Event, nil
	case t.is("Process"):
		return Process, nil
	}
	return Other, nil // Mutant, Semaphore, Timer, Job, Thread, Token, Key, …
}

// Matches compares the object's type only: which kind of file it is cannot be asked without
// waiting. That a handle is a socket has been seen when it was imported.
func (system) Matches(v uintptr, k Kind) (bool, error) {
	var t objectType
	if err := t.query(v); err != nil {
		return false, err
	}
	switch k {
	case Memory:
		return t.is("Section"), nil
	case Event:
		return t.is("Event"), nil
	case Process:
		return t.is("Process"), nil
	case Other: // a serial line, or any of the objects that are not files
		return !t.is("Section") && !t.is("Event") && !t.is("Process"), nil
	}
	return t.is("File"), nil
}

func fileKind(h windows.Handle) (Kind, error) {
	fileType, err := windows.GetFileType(h)
	if err == windows.ERROR_INVALID_HANDLE {
		return Other, syscall.EBADF // closed meanwhile
	}
	switch fileType &^ fileTypeRemote {
	case windows.FILE_TYPE_DISK:
		return diskKind(h)
	case windows.FILE_TYPE_PIPE:
		return pipeKind(h), nil
	case windows.FILE_TYPE_CHAR:
		return characterKind(h), nil
	}
	return Other, nil
}

// properHandle reports whether v can be a handle in this process's table: not zero, not
// INVALID_HANDLE_VALUE or another pseudo-handle (they are negative), a multiple of four. Handles
// have 32 significant bits on every Windows.
func properHandle(v uintptr) bool { return v != 0 && v&3 == 0 && v < 1<<31 }

func diskKind(h windows.Handle) (Kind, error) {
	var info struct { // FILE_STANDARD_INFO; asking for it needs no access right
		allocationSize, endOfFile int64
		links                     uint32
		deletePending, directory  bool
	}
	err := windows.GetFileInformationByHandleEx(h, windows.FileStandardInfo,
		(*byte)(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	switch {
	case err == windows.ERROR_INVALID_HANDLE:
		return Other, syscall.EBADF // closed meanwhile
	case err == nil && info.directory:
		return Directory, nil
	}
	return File, nil // volumes and the like cannot answer, and are read and written as files are
}

// pipeKind tells sockets from pipes: GetFileType calls both pipes.
func pipeKind(h windows.Handle) Kind {
	typ, err := socketOption(h, soType)
	if err != nil {
		return Pipe
	}
	listens, _ := socketOption(h, soAcceptConn) // fails where a socket cannot listen
	unix := socketFamily(h) == windows.AF_UNIX
	switch {
	case unix && listens != 0:
		return UnixListener
	case unix:
		return Unix
	case listens != 0:
		return Listener
	case typ == windows.SOCK_STREAM:
		return Stream
	}
	return Datagram
}

func socketOption(h windows.Handle, option int32) (value int32, err error) {
	size := int32(unsafe.Sizeof(value))
	err = windows.Getsockopt(h, windows.SOL_SOCKET, option, (*byte)(unsafe.Pointer(&value)), &size)
	return value, err
}

// socketFamily asks for the protocol, because a socket without an address has no name to take the
// family from. It is 0 if the system does not say.
func socketFamily(h windows.Handle) int32 {
	const soProtocolInfo = 0x2005 // SO_PROTOCOL_INFOW
	var info windows.WSAProtocolInfo
	size := int32(unsafe.Sizeof(info))
	if windows.Getsockopt(h, windows.SOL_SOCKET, soProtocolInfo, (*byte)(unsafe.Pointer(&info)), &size) != nil {
		return 0
	}
	return info.AddressFamily
}

// characterKind tells consoles from NUL and serial lines. A console that was opened for writing
// only may not be asked for its mode, but says so in a way of its own.
func characterKind(h windows.Handle) Kind {
	var mode uint32
	err := windows.GetConsoleMode(h, &mode)
	if err == nil || err == windows.ERROR_ACCESS_DENIED {
		return Terminal
	}
	return Other
}

// An objectType is what NtQueryObject says about an object's type: OBJECT_TYPE_INFORMATION, which
// starts with the name.
type objectType struct {
	name windows.NTUnicodeString
	rest [512]byte // its other fields, and the text that name points to
}

// query fills t. A v that is not open is EBADF.
func (t *objectType) query(v uintptr) error {
	if !properHandle(v) {
		return syscall.EBADF
	}
	const objectTypeInformation = 2 // the class of NtQueryObject
	return translate(ntQueryObject(windows.Handle(v), objectTypeInformation, unsafe.Pointer(t),
		uint32(unsafe.Sizeof(*t)), nil))
}

// is compares the type's name without making a string of it.
func (t *objectType) is(name string) bool {
	text := t.name.Slice()
	if len(text) != len(name) {
		return false
	}
	for i, c := range text {
		if c != uint16(name[i]) {
			return false
		}
	}
	return true
}

// ObjectType returns the name that the kernel has for the type of what v refers to: File (pipes and
// sockets, too), Section, Event, Process, … It never waits for anything. A v that is not open is
// EBADF.
func ObjectType(v uintptr) (string, error) {
	var t objectType
	if err := t.query(v); err != nil {
		return "", err
	}
	return t.name.String(), nil
}

// Sendable reports whether DuplicateHandle can pass v, of kind k, to another process:
// ErrNotSendable if not. A console handle means something to its own process only; of a completion
// port "no error is returned, but the duplicate handle cannot be used" (DuplicateHandle,
// Microsoft), and the same goes for what the thread pool and tracing make.
func Sendable(v uintptr, k Kind) error {
	switch k {
	case Terminal:
		return ErrNotSendable
	case Other:
	default:
		return nil
	}
	name, err := ObjectType(v)
	if err != nil {
		return err
	}
	switch name {
	case "IoCompletion", "IoCompletionReserve", "TpWorkerFactory", "WaitCompletionPacket", "EtwRegistration", "EtwConsumer":
		return ErrNotSendable
	}
	return nil
}

func (system) Dup(v uintptr, k Kind) (uintptr, error) {
	if !properHandle(v) {
		return 0, syscall.EBADF
	}
	if k.Socket() {
		return dupSocket(windows.Handle(v))
	}
	self := windows.CurrentProcess()
	var dup windows.Handle
	err := windows.DuplicateHandle(self, windows.Handle(v), self, &dup, 0, false, windows.DUPLICATE_SAME_ACCESS)
	if err != nil {
		return 0, translate(err)
	}
	return uintptr(dup), nil
}

// dupSocket goes through Winsock, as if to another process: what DuplicateHandle makes of a socket
// reads and writes, but is no socket to Winsock.
func dupSocket(h windows.Handle) (uintptr, error) {
	var info windows.WSAProtocolInfo
	if err := windows.WSADuplicateSocket(h, windows.GetCurrentProcessId(), &info); err != nil {
		return 0, translate(err)
	}
	const fromInfo = -1 // FROM_PROTOCOL_INFO
	dup, err := windows.WSASocket(fromInfo, fromInfo, fromInfo, &info, 0,
		windows.WSA_FLAG_OVERLAPPED|windows.WSA_FLAG_NO_HANDLE_INHERIT)
	if err != nil {
		return 0, translate(err)
	}
	return uintptr(dup), nil
}

func (system) Close(v uintptr, k Kind) error {
	if !properHandle(v) {
		return syscall.EBADF // a pseudo-handle would be "closed" with success
	}
	if k.Socket() {
		return translate(windows.Closesocket(windows.Handle(v)))
	}
	return translate(windows.CloseHandle(windows.Handle(v)))
}

// translate gives an error of the calls above the number that the error has on Linux. An error that
// Linux does not have stays what it is.
func translate(err error) error {
	if status, ok := err.(windows.NTStatus); ok {
		err = status.Errno()
	}
	switch err {
	case windows.ERROR_INVALID_HANDLE, windows.WSAENOTSOCK:
		return syscall.EBADF
	case windows.ERROR_ACCESS_DENIED, windows.WSAEACCES:
		return syscall.EACCES
	case windows.ERROR_TOO_MANY_OPEN_FILES, windows.ERROR_NO_SYSTEM_RESOURCES, windows.ERROR_NOT_ENOUGH_QUOTA, windows.WSAEMFILE:
		return syscall.EMFILE
	case windows.ERROR_NOT_ENOUGH_MEMORY, windows.ERROR_OUTOFMEMORY, windows.WSAENOBUFS:
		return syscall.ENOMEM
	}
	return err
}

// lingers reports whether closing a handle of kind k may wait for somebody: that of a file object
// for an operation that is under way, a stream's for what is unsent.
func lingers(k Kind) bool {
	switch k {
	case File, Directory, Pipe, Stream, Terminal, Other:
		return true
	}
	return false
}
