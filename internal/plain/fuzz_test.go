package plain

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// What is taken for a socket file is one, whatever is in it: written again it says the same.
func FuzzRendezvous(f *testing.F) {
	f.Add([]byte("52301\n0123456789abcdef"))
	f.Add([]byte("!<socket >52301 s 01020304-05060708-090a0b0c-0d0e0f10\x00"))
	f.Add([]byte("!<socket >52301 d 01020304-05060708-090a0b0c-0d0e0f10"))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, ok := ParseRendezvous(file)
		if !ok {
			if r != (Rendezvous{}) {
				t.Errorf("%q is none, and %+v", file, r)
			}
			return
		}
		if again, ok := ParseRendezvous(written(r)); !ok || again != r || r.Port == 0 {
			t.Errorf("%q: %+v, and written again %+v", file, r, again)
		}
	})
}

func written(r Rendezvous) []byte {
	if !r.Cygwin {
		return append(fmt.Appendf(nil, "%d\n", r.Port), r.Secret[:]...)
	}
	number := func(i int) uint32 { return binary.LittleEndian.Uint32(r.Secret[4*i:]) }
	return fmt.Appendf(nil, "!<socket >%d s %08X-%08X-%08X-%08X\x00", r.Port, number(0), number(1), number(2), number(3))
}
