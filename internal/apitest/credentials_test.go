package apitest

import (
	"errors"
	"io"
	"os"
	"testing"

	"afunix"
	"afunix/internal/testenv"
)

// Without SO_PASSCRED at the time of the read, messages are merged whatever they carry.
func TestMergeWithoutPassCredentials(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		mustWriteMsg(t, a, "0")
		b.SetPassCredentials(true)
		mustWriteMsg(t, a, "1")
		b.SetPassCredentials(false)
		mustWriteMsg(t, a, "2")
		mustReadMsg(t, b, "012", 0)
	})
}

// Rows 22, 65.
func TestCredentialsOfEachMessage(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		mustWriteMsg(t, a, "before")
		if m := mustReadMsg(t, b, "before", 0); m.Credentials != nil {
			t.Errorf("credentials that nobody asked for: %v", m.Credentials)
		}
		if err := b.SetPassCredentials(true); errors.Is(err, errors.ErrUnsupported) {
			t.Skip("not on this system")
		} else if err != nil {
			t.Fatal(err)
		}
		mustWriteMsg(t, a, "with", testenv.TempFile(t, ""))
		m := mustReadMsg(t, b, "with", 1)
		if m.Credentials == nil || m.Credentials.PID != os.Getpid() || !m.Credentials.SameUser() {
			t.Errorf("Credentials = %+v; want mine", m.Credentials)
		}
		a.Close()
		if network != "unixgram" {
			if m, err := b.ReadMsg(make([]byte, 10)); err != io.EOF {
				t.Errorf("the end, with SO_PASSCRED: %+v, %v", m, err)
			}
		}
	})
}

func TestPeerCredentialsAreTheSystems(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		ends := map[string]*afunix.Conn{}
		ends["pair"], _ = pair(t, tr, network)
		if network != "unixgram" {
			ends["client"], ends["server"] = connect(t, tr, network)
		}
		for name, c := range ends {
			peer, err := c.PeerCredentials()
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip("not on this system")
			}
			if err != nil || peer.PID != os.Getpid() || !peer.SameUser() {
				t.Errorf("%s: %+v, %v; want mine", name, peer, err)
			}
		}
	})
}

// An empty record is told from the end by its credentials, also over a kernel that says 0 for both.
func TestAnEmptyRecordWithCredentials(t *testing.T) {
	each(t, []string{"unixpacket"}, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		if err := b.SetPassCredentials(true); errors.Is(err, errors.ErrUnsupported) {
			t.Skip("not on this system")
		} else if err != nil {
			t.Fatal(err)
		}
		for _, record := range []string{"", "x", "", ""} {
			if _, err := a.Write([]byte(record)); err != nil {
				t.Fatal(err)
			}
		}
		a.Close()
		for _, want := range []string{"", "x", "", ""} {
			m, err := b.ReadMsg(make([]byte, 10))
			if err != nil || string(m.Data) != want || m.Credentials == nil || m.Credentials.PID != os.Getpid() {
				t.Errorf("%q, %+v, %v; want %q", m.Data, m.Credentials, err, want)
			}
		}
		if m, err := b.ReadMsg(make([]byte, 10)); err != io.EOF {
			t.Errorf("%q, %v; want the end", m.Data, err)
		}
	})
}
