package testenv

import (
	"testing"

	"golang.org/x/sys/windows"
)

// OnWine reports whether this is Wine, which says so by an export of its own.
func OnWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

// NeedWindows skips the test on Wine. why is what Wine lacks.
func NeedWindows(t testing.TB, why string) {
	t.Helper()
	if OnWine() {
		t.Skip("skipped on Wine: " + why)
	}
}
