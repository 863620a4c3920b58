package apitest

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"afunix"
	"afunix/internal/testenv"
)

// Rows 14, 92, 119, 187: datagrams carry the sender's name.
func TestDatagramsBetweenNames(t *testing.T) {
	eachPassing(t, []string{"unixgram"}, func(t *testing.T, tr afunix.Transport, network string) {
		bind := func(address string) *afunix.Conn {
			c, err := (&afunix.ListenConfig{Transport: tr}).ListenPacket(t.Context(), network, address)
			if err != nil {
				t.Fatal(err)
			}
			guard(t, c)
			return c
		}
		a, b := bind(socketPath(t)), bind(socketPath(t))
		to := b.LocalAddr().(*net.UnixAddr)
		if n, err := a.WriteMsgTo([]byte("one"), to, testenv.TempFile(t, "")); n != 3 || err != nil {
			t.Fatalf("WriteMsgTo = %d, %v", n, err)
		}
		m := mustReadMsg(t, b, "one", 1)
		if m.From == nil || m.From.Name != a.LocalAddr().String() || m.From.Net != network {
			t.Fatalf("From = %v; want %v", m.From, a.LocalAddr())
		}
		if n, err := b.WriteTo([]byte("two"), m.From); n != 3 || err != nil {
			t.Fatalf("WriteTo = %d, %v", n, err)
		}
		buf := make([]byte, 10)
		n, from, err := a.ReadFrom(buf)
		if string(buf[:n]) != "two" || err != nil || from.String() != to.Name {
			t.Fatalf("ReadFrom = %q, %v, %v", buf[:n], from, err)
		}

		c, err := (&afunix.Dialer{Transport: tr}).DialContext(t.Context(), network, to.Name)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c)
		mustWriteMsg(t, c, "three")
		if m := mustReadMsg(t, b, "three", 0); m.From != nil {
			t.Errorf("From = %v; the sender has no name", m.From)
		}
		mustWriteMsg(t, c, "four")
		if _, from, err := b.ReadFrom(buf); from != nil || err != nil {
			t.Errorf("ReadFrom = %v, %v; the sender has no name", from, err)
		}
		wrong := &net.UnixAddr{Name: to.Name, Net: "unix"}
		for _, refused := range []struct {
			err, want error
		}{
			{second(c.WriteTo(buf, to)), net.ErrWriteToConnected},
			{second(c.WriteMsgTo(buf, to)), net.ErrWriteToConnected},
			{second(a.WriteTo(buf, wrong)), syscall.EAFNOSUPPORT},
			{second(a.WriteTo(buf, &net.IPAddr{})), syscall.EINVAL},
			{second(a.Write(buf)), syscall.ENOTCONN}, // row 115
			{second(a.WriteMsg(buf)), syscall.ENOTCONN},
			{second(a.WriteTo(buf, &net.UnixAddr{Name: to.Name + "none", Net: network})), syscall.ENOENT}, // row 116
		} {
			if !errors.Is(refused.err, refused.want) {
				t.Errorf("%v; want %v", refused.err, refused.want)
			}
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(to.Name); err != nil { // row 191
			t.Error("Close of a datagram socket removed the socket file:", err)
		}
	})
}
