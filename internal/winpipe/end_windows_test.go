package winpipe

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
)

// completionModesOf asks the system how the file object of h tells that operations have ended.
func completionModesOf(h windows.Handle) (modes uint32, err error) {
	const fileIoCompletionNotificationInformation = 41
	var status windows.IO_STATUS_BLOCK
	err = windows.NtQueryInformationFile(h, &status, (*byte)(unsafe.Pointer(&modes)), uint32(unsafe.Sizeof(modes)),
		fileIoCompletionNotificationInformation)
	return modes, err
}

// Whatever the version of Go, and on either side.
func TestWhatCompletesAtOnceTakesNoSecondTrip(t *testing.T) {
	a, b := pair(t)
	l := listen(t, abstractName(t))
	client := dial(t, abstractName(t))
	for name, p := range map[string]*Pipe{"a": a, "b": b, "client": client, "server": accept(t, l)} {
		var modes uint32
		err := p.end.lend(func(fd uintptr) { modes, _ = completionModesOf(windows.Handle(fd)) })
		if err != nil || modes&completionModes != completionModes {
			t.Errorf("%s: modes %#x, %v; want %#x", name, modes, err, completionModes)
		}
	}
}

// A process that has a duplicate can set modes of the file object at any time, as os.NewFile of Go
// 1.26 does.
func TestModesThatOthersSetHoldUpNobody(t *testing.T) {
	a, b := pair(t)
	h, err := duplicate(b)
	if err != nil {
		t.Fatal(err)
	}
	defer windows.CloseHandle(h)
	if err := windows.SetFileCompletionNotificationModes(h, completionModes); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		write(t, a, []byte("there already"))
		within(t, "Read", func() error { read(t, b); return nil })
	}
}

// A Read that takes long, since the machine has other things to do, has not waited for that.
func TestReadThatWasHeldUpHasNotWaited(t *testing.T) {
	a, b := pair(t)
	var stop atomic.Bool
	var busy sync.WaitGroup
	defer busy.Wait()
	defer stop.Store(true)
	for range 4 * runtime.NumCPU() {
		busy.Go(func() {
			for !stop.Load() {
			}
		})
	}
	for range 300 {
		write(t, a, []byte("one"))
		write(t, a, []byte("two"))
		read(t, b)
		waited := b.Waited()
		buf, _, _, err := b.ReadNow(&buffers, nil)
		if err != nil {
			t.Fatalf("the second packet: %v", err)
		}
		buffers.Put(buf)
		if waited {
			t.Fatal("Read has waited, and yet there was another packet in the pipe")
		}
	}
}
