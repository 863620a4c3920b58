package control

import (
	"bytes"
	"slices"
	"syscall"
	"testing"
)

func TestRightsComeBack(t *testing.T) {
	for _, fds := range [][]int{nil, {0}, {3, 4, 5}, {-1, 1<<31 - 1}, make([]int, 253)} {
		b := Rights(fds...)
		if len(b) != Space(4*len(fds)) {
			t.Errorf("%d bytes for %d descriptors", len(b), len(fds))
		}
		h, data, rest, ok, err := Next(b)
		if !ok || err != nil || h.Len != Len(4*len(fds)) || h.Level != SolSocket || h.Type != ScmRights || len(rest) != 0 {
			t.Fatalf("%+v, %d left, %t, %v", h, len(rest), ok, err)
		}
		if got := FDs(data); !slices.Equal(got, fds) && len(got)+len(fds) > 0 {
			t.Errorf("%v; want %v", got, fds)
		}
	}
}

func TestCredentialsComeBack(t *testing.T) {
	want := Ucred{Pid: 1, Uid: 2, Gid: 1<<32 - 1}
	_, data, _, ok, err := Next(Credentials(want))
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if got, err := ParseCredentials(data); got != want || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ParseCredentials(data[:11]); err != syscall.EINVAL {
		t.Error(err)
	}
}

// Every truncation of two messages is either none, EINVAL, or one of them less.
func TestTruncation(t *testing.T) {
	whole := append(Rights(1, 2), Rights(3)...)
	for n := range whole {
		b, messages := whole[:n], 0
		for {
			_, _, rest, ok, err := Next(b)
			if err != nil && err != syscall.EINVAL {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			messages++
			b = rest
		}
		if messages > 2 || n < Len(8) && messages > 0 || n < Space(8)+Len(4) && messages > 1 {
			t.Errorf("%d bytes have %d messages", n, messages)
		}
	}
}

// Credentials are cut where the buffer ends, and never written behind it (put_cmsg of Linux).
func TestPutCredentialsIntoAnything(t *testing.T) {
	for room := range Space(CredentialsLen) + 3 {
		b := bytes.Repeat([]byte{0xee}, room+8)
		n, whole := PutCredentials(b[:room:room], Ucred{Pid: 1})
		if n > room || whole != (room >= Len(CredentialsLen)) || room < HeaderLen && n != 0 {
			t.Errorf("%d bytes of %d, whole: %t", n, room, whole)
		}
		if !bytes.Equal(b[room:], bytes.Repeat([]byte{0xee}, 8)) {
			t.Fatal("it wrote behind the buffer")
		}
	}
}

func TestRightsRoom(t *testing.T) {
	for room, want := range map[int]int{0: 0, HeaderLen - 1: 0, HeaderLen: 0, Len(4) - 1: 0, Len(4): 1, Len(8): 2, Space(4): (Space(4) - HeaderLen) / 4} {
		if got := RightsRoom(room); got != want {
			t.Errorf("%d bytes have room for %d, want %d", room, got, want)
		}
	}
}
