package leaktest

import (
	"fmt"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The handles of this process come from NtQuerySystemInformation(SystemExtendedHandleInformation),
// which lists those of the whole system. GetProcessHandleCount would be simpler, but is always 0 on
// Wine 8, and says nothing about types.
//
// Threads come with handles of their own, and the runtime makes threads whenever it needs one; none
// of that is a leak:
//   - Go's runtime has a thread handle, up to two timers, up to one wait completion packet and up
//     to two events for each (src/runtime/os_windows.go, minit and semacreate, Go 1.26);
//   - Winsock has an event for each thread that made a blocking call on a socket (ws2_32's
//     sync_event on Wine 8).
//
// Handles of types that nothing else has are not counted, nor timers opened with the runtime's
// access mask. Of events without a name and with every right, three per thread are not counted; so
// an event that was leaked once may go unseen, one per operation may not. Code that asks for the
// rights that it needs, CreateEventEx with EVENT_MODIFY_STATE and SYNCHRONIZE for overlapped I/O,
// has its events counted exactly.
//
// The types that only the system's libraries use are not counted, either: they open them at their
// first use.

// What belongs to threads is known by these figures.
const (
	runtimeTimerAccess = windows.SYNCHRONIZE | 0x3 // TIMER_QUERY_STATE | TIMER_MODIFY_STATE: createHighResTimer
	eventsPerThread    = 3
)

// uncounted are the types of which handles come and go with threads and libraries.
var uncounted = map[string]bool{
	"Thread": true, "WaitCompletionPacket": true, "IRTimer": true, // of a thread
	"ALPC Port": true, "Directory": true, "EtwRegistration": true, "EtwConsumer": true, // of a library
	"Key": true, "TpWorkerFactory": true, "Desktop": true, "WindowStation": true,
}

// take finds what is open now.
func take() (snapshot, error) {
	handles, err := ownHandles()
	if err != nil {
		return snapshot{}, err
	}
	var s snapshot
	threads, events := 0, 0
	directory := currentDirectory()
	for _, h := range handles {
		switch kind := typeName(windows.Handle(h.handle)); {
		case kind == "", h.handle == directory:
			// Closed since the list was made, or the system's.
		case kind == "Event" && h.access == windows.EVENT_ALL_ACCESS && !hasName(windows.Handle(h.handle)):
			events++
		case kind == "Timer" && h.access == runtimeTimerAccess, uncounted[kind]:
			if kind == "Thread" {
				threads++
			}
		default:
			s.open = append(s.open, h.handle)
		}
	}
	s.anonymous = max(0, events-eventsPerThread*threads)
	slices.Sort(s.open)
	return s, nil
}

// currentDirectory is the handle that the system has of the directory which this process is in. Who
// changes that gets another one.
func currentDirectory() uintptr {
	return uintptr(windows.RtlGetCurrentPeb().ProcessParameters.CurrentDirectory.Handle)
}

// ownHandles lists the handles of this process: it tries every value, since the table is dense. To
// ask for the handles of the whole system (NtQuerySystemInformation) ends Wine 8's server if some
// other process has an empty table at that moment, as each has that is just being started:
// enum_handles compares an unsigned index with a last one of -1. Every program in the prefix then
// hangs.
func ownHandles() ([]handle, error) {
	var list []handle
	for v, missing := uintptr(4), 0; missing < gap; v += 4 {
		var info basicInformation
		status, _, _ := procNtQueryObject.Call(v, objectBasicInformation,
			uintptr(unsafe.Pointer(&info)), unsafe.Sizeof(info), 0)
		if windows.NTStatus(status) != windows.STATUS_SUCCESS {
			missing++
			continue
		}
		missing = 0
		list = append(list, handle{v, info.access})
	}
	return list, nil
}

// gap is how many values in a row must be free for the table to have ended.
const gap = 1024

type handle struct {
	handle uintptr
	access uint32
}

// basicInformation is PUBLIC_OBJECT_BASIC_INFORMATION of winternl.h.
type basicInformation struct {
	attributes, access, handles, pointers uint32
	_                                     [10]uint32
}

const objectBasicInformation = 0

var procNtQueryObject = windows.NewLazySystemDLL("ntdll.dll").NewProc("NtQueryObject")

// Classes of NtQueryObject (documented in winternl.h and ntifs.h).
const (
	objectNameInformation = 1
	objectTypeInformation = 2
)

// typeName returns the name of the type of h's object, such as "File"; "" if h is not open. The
// type's index would be cheaper, but differs between versions of Windows.
func typeName(h windows.Handle) string { return queryObject(h, objectTypeInformation) }

// queryObject returns the UNICODE_STRING with which the answer begins; "" if there is none.
func queryObject(h windows.Handle, class uintptr) string {
	var buf [256]uintptr
	status, _, _ := procNtQueryObject.Call(uintptr(h), class, uintptr(unsafe.Pointer(&buf)), unsafe.Sizeof(buf), 0)
	if windows.NTStatus(status) != windows.STATUS_SUCCESS {
		return ""
	}
	return (*windows.NTUnicodeString)(unsafe.Pointer(&buf)).String()
}

// hasName reports whether h's object has a name. Not for files: see objectName.
func hasName(h windows.Handle) bool { return queryObject(h, objectNameInformation) != "" }

// describe says what the handle d refers to.
func describe(d uintptr) string {
	kind := typeName(windows.Handle(d))
	if kind == "" {
		return fmt.Sprintf("handle %#x (closed meanwhile)", d)
	}
	if name := objectName(windows.Handle(d)); name != "" {
		return fmt.Sprintf("handle %#x: %s %s", d, kind, name)
	}
	return fmt.Sprintf("handle %#x: %s", d, kind)
}

// objectName returns the name of h's object, if it has one. Asking for the name of a pipe that is
// opened for synchronous I/O blocks while such I/O is under way, so the answer is not waited for
// for ever; this is only called to report a failure.
func objectName(h windows.Handle) string {
	name := make(chan string, 1)
	go func() { name <- queryObject(h, objectNameInformation) }()
	select {
	case n := <-name:
		return n
	case <-time.After(time.Second):
		return "(name unknown: its I/O is blocked)"
	}
}
