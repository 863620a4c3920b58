package testenv

import (
	"crypto/rand"
	"os"
	"testing"

	"golang.org/x/sys/windows"
)

// A ForeignPipe is the pipe of a program that is not afunix.
type ForeignPipe struct {
	Name string // \\.\pipe\…
	mode uint32
	t    testing.TB
}

// NewForeignPipe returns a name at which nobody serves yet. Its mode is PIPE_TYPE_BYTE or
// PIPE_TYPE_MESSAGE.
func NewForeignPipe(t testing.TB, mode uint32) *ForeignPipe {
	return &ForeignPipe{Name: `\\.\pipe\afunix-test-` + rand.Text(), mode: mode, t: t}
}

// Instance makes an instance, to which one client can connect; at most limit of them are there at a
// time. The file is closed when the test ends. A server that reads has to have room for a whole
// message.
func (p *ForeignPipe) Instance(limit, buffer uint32) *os.File {
	p.t.Helper()
	name, err := windows.UTF16PtrFromString(p.Name)
	if err != nil {
		p.t.Fatal(err)
	}
	h, err := windows.CreateNamedPipe(name, windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_OVERLAPPED,
		p.mode|(p.mode>>1&windows.PIPE_READMODE_MESSAGE), limit, buffer, buffer, 0, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	f := os.NewFile(uintptr(h), p.Name)
	p.t.Cleanup(func() { f.Close() })
	return f
}
