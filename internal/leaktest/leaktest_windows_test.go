package leaktest

import (
	"testing"

	"golang.org/x/sys/windows"
)

// eventFor is what overlapped I/O needs of an event.
const eventFor = windows.EVENT_MODIFY_STATE | windows.SYNCHRONIZE

func TestDescriptorsCountsEveryEventThatNoThreadHas(t *testing.T) {
	named, err := windows.UTF16PtrFromString("afunix-leaktest")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		what   string
		name   *uint16
		access uint32
	}{
		{"with the rights for overlapped I/O", nil, eventFor},
		{"with a name", named, windows.EVENT_ALL_ACCESS},
	} {
		t.Run(test.what, func(t *testing.T) {
			before := count(t)
			makeEvents(t, 1, test.name, test.access)
			if got := count(t) - before; got != 1 {
				t.Errorf("%d more, want 1", got)
			}
		})
	}
}

func TestDescriptorsCountsMoreEventsThanThreadsHave(t *testing.T) {
	const events = 300
	before := count(t)
	makeEvents(t, events, nil, windows.EVENT_ALL_ACCESS)
	if got := count(t) - before; got < events/2 {
		t.Errorf("%d more, want most of %d", got, events)
	}
}

func makeEvents(t *testing.T, n int, name *uint16, access uint32) {
	t.Helper()
	for range n {
		e, err := windows.CreateEventEx(nil, name, 0, access)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { windows.CloseHandle(e) })
	}
}
