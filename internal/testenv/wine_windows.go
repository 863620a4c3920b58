package testenv

import (
	"testing"

	"golang.org/x/sys/windows"
)

// NeedWindows skips the test on Wine, which says that it is Wine by an export of its own. why is
// what Wine lacks.
func NeedWindows(t testing.TB, why string) {
	t.Helper()
	if windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil {
		t.Skip("skipped on Wine: " + why)
	}
}
