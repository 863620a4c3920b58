package winpipe

import (
	"os"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"

	"afunix/internal/pipe"
	"afunix/internal/testenv"
)

// What this file shows of public names only Windows can show.

// firstOf makes the first instance of a pipe.
func firstOf(name string, attributes *windows.SecurityAttributes) (windows.Handle, error) {
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, err
	}
	return windows.CreateNamedPipe(path, windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_FIRST_PIPE_INSTANCE,
		byteMode, windows.PIPE_UNLIMITED_INSTANCES, 0, 0, 0, attributes)
}

// The system itself keeps a second first instance from being made, so that nobody comes in between
// looking and making.
func TestFirstInstanceOfAPublicNameIsTheFirst(t *testing.T) {
	testenv.NeedWindows(t, "FILE_FLAG_FIRST_PIPE_INSTANCE is not enforced")
	l := listen(t, publicName())
	if h, err := firstOf(l.public.pipe, nil); err != windows.ERROR_ACCESS_DENIED {
		windows.CloseHandle(h)
		t.Errorf("%v, want ERROR_ACCESS_DENIED", err)
	}
}

// A client of low integrity, as a sandbox has, is not let in, whatever the Mode: a pipe without a
// label has medium integrity, and who is below may not write there.
func TestClientOfLowIntegrityAtAPublicName(t *testing.T) {
	testenv.NeedWindows(t, "there are no integrity levels")
	name := publicName()
	l, err := system.Listen(name, stream, pipe.Options{Mode: 0o666})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	atLowIntegrity(t, func() {
		var f *os.File
		if f, err = testenv.OpenPipe(name); err == nil {
			f.Close()
		}
	})
	if err != windows.ERROR_ACCESS_DENIED {
		t.Errorf("%v, want ERROR_ACCESS_DENIED", err)
	}
}

// atLowIntegrity calls f on a thread whose token has low integrity.
func atLowIntegrity(t *testing.T, f func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := windows.ImpersonateSelf(windows.SecurityImpersonation); err != nil {
		t.Skip("this process cannot impersonate itself: ", err)
	}
	defer windows.RevertToSelf()
	var token windows.Token
	err := windows.OpenThreadToken(windows.CurrentThread(), windows.TOKEN_ADJUST_DEFAULT|windows.TOKEN_QUERY, true, &token)
	if err != nil {
		t.Skip("no token can be changed here: ", err)
	}
	defer token.Close()
	low, err := windows.StringToSid("S-1-16-4096")
	if err != nil {
		t.Fatal(err)
	}
	label := windows.Tokenmandatorylabel{Label: windows.SIDAndAttributes{Sid: low, Attributes: windows.SE_GROUP_INTEGRITY}}
	err = windows.SetTokenInformation(token, windows.TokenIntegrityLevel, (*byte)(unsafe.Pointer(&label)), label.Size())
	if err != nil {
		t.Skip("no token of low integrity can be made here: ", err)
	}
	f()
}
