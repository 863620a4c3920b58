package endpoint_test

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// A script is what a fuzzer makes a peer say: each step begins with a byte that chooses its shape, and takes its numbers from what
// follows.
type script struct{ rest []byte }

func (s *script) byte() byte {
	if len(s.rest) == 0 {
		return 0
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return b
}

// number is small, or any.
func (s *script) number() uint64 {
	b := s.byte()
	if b < 0xF0 {
		return uint64(b)
	}
	var raw [8]byte
	s.rest = s.rest[copy(raw[:], s.rest):]
	return binary.LittleEndian.Uint64(raw[:])
}

func (s *script) bytes(n int) []byte {
	n = min(n, len(s.rest))
	b := s.rest[:n]
	s.rest = s.rest[n:]
	return b
}

// step returns the next packet, or nothing if the victim's user is to do something.
func (s *script) step(files []uint64) []byte {
	kind := s.byte()
	p := wire.Packet{Flags: s.byte() & 0x87}
	switch kind % 12 {
	case 0:
		return s.bytes(int(s.byte()))
	case 1:
		p.Type, p.Flags, p.Payload = wire.Data, p.Flags&7, make([]byte, 257*int(s.byte()))
	case 2, 3:
		p.Type, p.Flags, p.Serial, p.Payload = wire.Data, p.Flags&5, s.number(), []byte("x")
		p.Records = int(s.byte())
		for range p.Records {
			r := wire.Record{Kind: s.byte(), Owner: wire.Owner(s.byte() & 3), Value: s.number()}
			if r.Value < uint64(len(files)) {
				r.Value = files[r.Value]
			}
			if r.Owner == wire.Exported {
				r.Extra, r.Value = s.bytes(int(s.byte())), 0
			}
			p.Ancillary = r.Append(p.Ancillary)
		}
		if len(p.Ancillary) > wire.MaxAncillary {
			p.Records, p.Ancillary = 0, nil
		}
	case 4:
		p.Type, p.Serial = wire.Ack, s.number()
	case 5:
		p.Type, p.Payload = wire.Credit, wire.CreditBody{Consumed: s.number(), Rights: s.number()}.Append(nil)
	case 6:
		p.Type, p.Serial, p.Payload = wire.Options, s.number(), wire.AppendOptions(nil, uint32(s.number()*1000))
	case 7:
		p.Type, p.Flags, p.Serial = wire.Shutdown, p.Flags&3, s.number()
	case 8:
		p.Type, p.Flags = wire.Bye, p.Flags&1
	case 9:
		p.Type, p.Flags, p.Payload = wire.Ready, 0, []byte{s.byte()}
	case 10:
		h := wire.HelloBody{SocketType: s.byte(), Ability: s.byte(), Window: sock.DefaultWindow, Rights: s.number(), Proof: s.bytes(4)}
		p.Type, p.Payload = wire.Hello, h.Append(nil)
	case 11:
		return nil
	}
	return p.Append(nil)
}

// Whatever a peer says, in whatever order: no panic, no leak, bounded memory, and an end that is the end of the stream or EPROTO.
func FuzzPeer(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x20GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	f.Add([]byte{0x0d, 9, 0, 7, 1, 0, 5, 11, 0, 2, 0, 1, 2, 1, 0, 0, 1, 0, 1, 11, 1, 4, 0, 1, 8, 1})
	f.Add([]byte{0x05, 9, 0, 1, 1, 1, 200, 1, 3, 200, 1, 2, 200, 11, 0, 8, 0})
	f.Add([]byte{0x1f, 9, 0, 7, 2, 0, 1, 1, 1, 1, 0, 7, 2, 1, 0, 6, 0, 2, 100, 5, 0, 1, 240, 255, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<12 {
			t.Skip()
		}
		synctest.Test(t, func(t *testing.T) { fuzzPeer(t, b) })
	})
}

func fuzzPeer(t *testing.T, b []byte) {
	s := &script{b}
	mode := s.byte()
	typ := sock.Stream
	if mode&1 == 0 {
		typ = sock.Seqpacket
	}
	kin := kinship{server: rights.Ability(mode >> 1 & 3), client: anybody, sockets: mode&16 != 0}
	r := newRig(t, typ)
	defer r.end()
	r.left = 4 << 10 // what a peer puts into our table and never names is its own doing
	sp, cp := newFakePipe(kin, r.serverProc, r.clientProc)
	cp.hold() // what the victim says is not read
	sp.forgets, cp.forgets = true, true
	r.source.pipes <- sp
	files := make([]uint64, 8)
	for i := range files {
		files[i] = uint64(r.open(r.clientProc, descriptor.Kind(i), 1)[0].Value)
	}
	mine := r.open(r.serverProc, descriptor.File, 2)
	e := &enemy{t: t, pipe: cp}
	defer cp.Close()
	if mode&32 == 0 {
		e.hello(typ, nil)
	}
	var victim *endpoint.Conn
	if synctest.Wait(); mode&32 == 0 {
		cp.answered = true
		c, err := r.listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		victim = c.(*endpoint.Conn)
		defer victim.Close()
		victim.SetDeadline(time.Now().Add(time.Minute))
	}
	before := memory()
	buf := make([]byte, 1<<12)
	for steps := 0; len(s.rest) > 0 && steps < 500; steps++ {
		if packet := s.step(files); len(packet) > 0 {
			e.say(packet[:min(len(packet), wire.MaxPacket+1)])
			continue
		}
		synctest.Wait()
		if victim == nil {
			continue
		}
		switch s.byte() % 6 {
		case 0:
			victim.SetDeadline(time.Now().Add(time.Second))
			m, _ := victim.Recv(buf, false)
			m.Rights.Close()
		case 1:
			victim.SetDeadline(time.Now().Add(time.Second))
			victim.Read(buf[:1])
		case 2:
			victim.SetDeadline(time.Now().Add(time.Second))
			victim.Send(buf[:10], mine, nil)
		case 3:
			victim.CloseRead()
		case 4:
			victim.SetWriteBuffer(int(s.byte()) * 100)
		case 5:
			victim.SetDeadline(time.Now().Add(time.Second))
			m, _ := victim.Recv(buf, true)
			m.Rights.Close()
		}
	}
	synctest.Wait()
	if memory() > before+8<<20 {
		runtime.GC() // most of it is garbage
		if after := memory(); after > before+8<<20 {
			t.Errorf("%d bytes are held for one connection", after-before)
		}
	}
	for _, v := range mine {
		if r.serverProc.Refers(v.Value) == nil {
			t.Error("a descriptor of the victim's own was closed")
		}
	}
	if victim != nil {
		finishFuzz(t, victim, buf)
	}
}

// finishFuzz reads what is left, up to the end or until nothing comes.
func finishFuzz(t *testing.T, c *endpoint.Conn, buf []byte) {
	c.SetDeadline(time.Now().Add(time.Second))
	total := 0
	for range 3000 {
		m, err := c.Recv(buf, false)
		m.Rights.Close()
		total += m.N
		switch {
		case err == nil, errors.Is(err, descriptor.ErrRightsTruncated):
		case errors.Is(err, io.EOF), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPROTO):
			if total > 2*sock.MaxWindow {
				t.Errorf("%d bytes were queued", total)
			}
			return
		default:
			t.Fatalf("reading ended with %v", err)
		}
	}
	t.Error("reading does not end")
}

// memory is how much is in use, in bytes, as far as a few megabytes matter.
func memory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
