package control

import (
	"bytes"
	"syscall"
	"testing"
)

// On Linux the layout is that of package syscall.
func TestLayoutIsThatOfLinux(t *testing.T) {
	for n := range 40 {
		if Len(n) != syscall.CmsgLen(n) || Space(n) != syscall.CmsgSpace(n) {
			t.Errorf("%d: %d, %d; want %d, %d", n, Len(n), Space(n), syscall.CmsgLen(n), syscall.CmsgSpace(n))
		}
	}
	if got, want := Rights(1, 2, 3), syscall.UnixRights(1, 2, 3); !bytes.Equal(got, want) {
		t.Errorf("%x; want %x", got, want)
	}
	got, want := Credentials(Ucred{1, 2, 3}), syscall.UnixCredentials(&syscall.Ucred{Pid: 1, Uid: 2, Gid: 3})
	if !bytes.Equal(got, want) {
		t.Errorf("%x; want %x", got, want)
	}
}

// Next finds what package syscall finds.
func FuzzNext(f *testing.F) {
	f.Add(append(Rights(1, 2), Credentials(Ucred{})...))
	f.Add(Rights())
	f.Fuzz(func(t *testing.T, b []byte) {
		want, wantErr := syscall.ParseSocketControlMessage(b)
		for i := 0; ; i++ {
			h, data, rest, ok, err := Next(b)
			if err != nil {
				if err != wantErr {
					t.Fatalf("%v; want %v", err, wantErr)
				}
				return
			}
			if !ok {
				if wantErr != nil || i != len(want) {
					t.Fatalf("%d messages; want %d, %v", i, len(want), wantErr)
				}
				return
			}
			if wantErr == nil {
				w := want[i]
				if h.Len != int(w.Header.Len) || h.Level != w.Header.Level || h.Type != w.Header.Type || !bytes.Equal(data, w.Data) {
					t.Fatalf("%+v; want %+v", h, w.Header)
				}
			}
			b = rest
		}
	})
}
