//go:build unix

package upgrade_test

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"afunix/upgrade"
)

// Package ipv4 has these on Unix only; by them quic-go receives. (Its ReadFrom and WriteTo want to
// see a *net.UDPConn, and no other type will do.)
func init() {
	receivers["ipv4 ReadBatch"] = func(c *upgrade.PacketConn, b []byte) (int, error) {
		messages := []ipv4.Message{{Buffers: [][]byte{b}}}
		_, err := ipv4.NewPacketConn(c).ReadBatch(messages, 0)
		return messages[0].N, err
	}
	senders["ipv4 WriteBatch"] = func(c *upgrade.PacketConn, b []byte, to *net.UDPAddr) error {
		_, err := ipv4.NewPacketConn(c).WriteBatch([]ipv4.Message{{Buffers: [][]byte{b}, Addr: to}}, 0)
		return err
	}
}

// Ancillary data comes along.
func TestAncillaryDataOfAHandedOverSocket(t *testing.T) {
	_, next, takeOver := generations(t)
	takeOver()
	p := ipv4.NewPacketConn(next)
	if err := p.SetControlMessage(ipv4.FlagTTL|ipv4.FlagDst, true); err != nil {
		t.Skip(err)
	}
	write(t, next.LocalAddr(), "text")
	next.SetReadDeadline(time.Now().Add(patience))
	b, oob := make([]byte, 100), ipv4.NewControlMessage(ipv4.FlagTTL|ipv4.FlagDst)
	n, oobn, _, from, err := next.ReadMsgUDP(b, oob)
	var cm ipv4.ControlMessage
	if err == nil {
		err = cm.Parse(oob[:oobn])
	}
	if string(b[:n]) != "text" || from == nil || cm.TTL == 0 || err != nil {
		t.Errorf("%q from %v, with %v, %v", b[:n], from, &cm, err)
	}
}

// A datagram of unixgram brings its descriptors, when it is this process's turn.
func TestDescriptorsOfAHandedOverSocket(t *testing.T) {
	cfg := upgrade.Config{Address: address(t)}
	at := cfg.Address + ".log"
	first := start(t, cfg)
	former := listenPacket(t, first, "log", "unixgram", at)
	ready(t, first)
	second := start(t, cfg)
	next := listenPacket(t, second, "log", "unixgram", at)
	ready(t, second)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := former.WriteMsgTo([]byte("file"), &net.UnixAddr{Name: at, Net: "unixgram"}, w); err != nil {
		t.Fatal(err)
	}
	w.Close()
	next.SetReadDeadline(time.Now().Add(patience))
	m, err := next.ReadMsg(make([]byte, 100))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Rights.Close()
	f, err := m.Rights.File(0)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f, "text")
	f.Close()
	if text, err := io.ReadAll(r); string(m.Data) != "file" || string(text) != "text" || err != nil {
		t.Errorf("%q, %q, %v", m.Data, text, err)
	}
}
