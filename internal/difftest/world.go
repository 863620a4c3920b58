package difftest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"afunix"
	"afunix/internal/longpath"
)

// How long operations may take.
const (
	generous = 5 * time.Second       // for what can go on at once
	short    = 25 * time.Millisecond // for what has to wait, and waits in vain
	hanging  = 15 * time.Second      // after this, a call has hung, whatever its deadline
)

// A Setting is what the two processes of a run have in common.
type Setting struct {
	Transport afunix.Transport
	Reference bool   // ask the kernel what has to wait
	Dir       string // of the socket files
	Prefix    string // of abstract names
	PIDs      []int  // the first process, the second, and those that took its place
	Proc      int    // which of the two this is
}

// A Hint is what the reference says of an operation.
type Hint struct {
	Waits   bool
	Skipped string
}

// world is one process's sockets in one run.
type world struct {
	Setting
	sockets map[int]*socket
	files   []*os.File // that are sent, the same in both processes
	infos   []os.FileInfo
}

// A socket is what is in a slot: conn or listener is nil.
type socket struct {
	conn     *afunix.Conn
	listener *afunix.Listener
	net      string
	dialled  bool // and so, perhaps, not accepted yet
	descs    int  // sent and perhaps not read yet
}

// end is what conn and listener have in common.
type end interface {
	afunix.Sendable
	io.Closer
	SetDeadline(time.Time) error
}

func (s *socket) end() end {
	if s.listener != nil {
		return s.listener
	}
	return s.conn
}

// path returns the name that an operation means: "p" is a socket file, "@a" an abstract name, and
// "long:107" a path of 107 bytes.
func (s Setting) path(name string) string {
	base, abstract := s.Dir+string(filepath.Separator), false
	if rest, ok := strings.CutPrefix(name, "@"); ok {
		base, abstract, name = "@"+s.Prefix, true, rest
	}
	if length, ok := strings.CutPrefix(name, "long:"); ok {
		n, _ := strconv.Atoi(length)
		return base + strings.Repeat("x", max(n-len(base), 0))
	}
	if name == "" && !abstract {
		return ""
	}
	return base + name
}

// shown is the reverse of path: what is the same in every run.
func (s Setting) shown(a net.Addr) string {
	u, ok := a.(*net.UnixAddr)
	if !ok || u == nil {
		return "-"
	}
	if rest, ok := strings.CutPrefix(u.Name, s.Dir+string(filepath.Separator)); ok {
		return u.Net + ":" + rest
	}
	if rest, ok := strings.CutPrefix(u.Name, "@"+s.Prefix); ok {
		return u.Net + ":@" + rest
	}
	if longpath.IsWay(u.Name) { // what the kernel shows of a long path that is bound in s.Dir
		return u.Net + ":" + filepath.Base(u.Name)
	}
	if len(u.Name) == 6 && u.Name[0] == '@' {
		return u.Net + ":@auto" // the system chose it
	}
	return u.Net + ":" + u.Name
}

// do runs operation i. A call that hangs is a result, too.
func (w *world) do(i int, op Op, h Hint) Result {
	if h.Skipped != "" {
		return Result{Skipped: h.Skipped}
	}
	done := make(chan Result, 1)
	go func() { done <- w.run(i, op, h) }()
	select {
	case r := <-done:
		return r
	case <-time.After(hanging):
		return Result{Err: Failure{What: "hang"}}
	}
}

func (w *world) run(i int, op Op, h Hint) Result {
	switch op.Kind {
	case Listen, ListenPacket, Dial, Pair:
		if w.sockets[op.Slot] != nil {
			return Result{Skipped: "slot taken"}
		}
		return w.create(op)
	case burst:
		return w.burst(i, op)
	case fill:
		return w.fill(i, op, h)
	}
	s := w.sockets[op.Slot]
	if s == nil {
		return Result{Skipped: "slot empty"}
	}
	if s.listener != nil {
		return w.onListener(op, h, s)
	}
	return w.onConn(i, op, h, s)
}

func (w *world) create(op Op) Result {
	ctx := context.Background()
	var s socket
	var err error
	switch op.Kind {
	case Listen:
		lc := afunix.ListenConfig{Transport: w.Transport, Backlog: op.N}
		s.listener, err = lc.Listen(ctx, op.Net, w.path(op.Name))
	case ListenPacket:
		s.conn, err = (&afunix.ListenConfig{Transport: w.Transport}).ListenPacket(ctx, op.Net, w.path(op.Name))
	case Dial:
		d := afunix.Dialer{Transport: w.Transport, Timeout: generous}
		if op.Name2 != "" {
			d.LocalAddr = &net.UnixAddr{Name: w.path(op.Name2), Net: op.Net}
		}
		s.dialled = true
		s.conn, err = d.DialContext(ctx, op.Net, w.path(op.Name))
	case Pair:
		if w.sockets[op.Other] != nil || op.Other == op.Slot {
			return Result{Skipped: "slot taken"}
		}
		var b *afunix.Conn
		if s.conn, b, err = w.Transport.Pair(op.Net); err == nil {
			w.sockets[op.Other] = &socket{conn: b, net: op.Net}
		}
	}
	if err != nil {
		return Result{Err: w.failure(err)}
	}
	s.net = op.Net
	w.sockets[op.Slot] = &s
	return w.addresses(&s)
}

func (w *world) addresses(s *socket) Result {
	if s.listener != nil {
		return Result{Names: []string{w.shown(s.listener.Addr())}}
	}
	return Result{Names: []string{w.shown(s.conn.LocalAddr()), w.shown(s.conn.RemoteAddr())}}
}

func (w *world) onListener(op Op, h Hint, s *socket) Result {
	switch op.Kind {
	case Accept:
		if w.sockets[op.Other] != nil {
			return Result{Skipped: "slot taken"}
		}
		w.limit(s, h, waitsToRead)
		c, err := s.listener.AcceptConn()
		if err != nil {
			return Result{Err: w.failure(err)}
		}
		accepted := &socket{conn: c, net: s.net}
		w.sockets[op.Other] = accepted
		return w.addresses(accepted)
	case UnlinkOnClose:
		s.listener.SetUnlinkOnClose(op.On)
		return Result{}
	case Addresses:
		return w.addresses(s)
	case Close:
		delete(w.sockets, op.Slot)
		return Result{Err: w.failure(s.listener.Close())}
	}
	return Result{Skipped: "not for listeners"}
}

func (w *world) onConn(i int, op Op, h Hint, s *socket) Result {
	switch op.Kind {
	case Write, WriteMsg, WriteTo, Pass:
		return w.send(i, op, h, s)
	case Read, ReadFrom, ReadMsg, Peek:
		w.limit(s, h, waitsToRead)
		return w.receive(op, s)
	case CloseRead:
		return Result{Err: w.failure(s.conn.CloseRead())}
	case CloseWrite:
		return Result{Err: w.failure(s.conn.CloseWrite())}
	case Close:
		delete(w.sockets, op.Slot)
		return Result{Err: w.failure(s.conn.Close())}
	case ReadBuffer:
		return Result{Err: w.failure(s.conn.SetReadBuffer(op.N))}
	case WriteBuffer:
		return Result{Err: w.failure(s.conn.SetWriteBuffer(op.N))}
	case PassCreds:
		return Result{Err: w.failure(s.conn.SetPassCredentials(op.On))}
	case PeerCreds:
		who, err := s.conn.PeerCredentials()
		return Result{Err: w.failure(err), Creds: w.credentials(&who)}
	case Addresses:
		return w.addresses(s)
	case Expire:
		return w.expire(s)
	case flood:
		return w.flood(i, op, h, s)
	case drain:
		return w.drain(op, s)
	}
	return Result{Skipped: "not for connections"}
}

// limit sets the deadline of what comes next: as the reference says, or, if this is the reference,
// as the kernel says.
func (w *world) limit(s *socket, h Hint, waits func(afunix.Sendable) bool) {
	if w.Reference {
		h.Waits = waits(s.end())
	}
	d := generous
	if h.Waits {
		d = short
	}
	s.end().SetDeadline(time.Now().Add(d))
}

// send sends bytes, perhaps with descriptors or a socket.
func (w *world) send(i int, op Op, h Hint, s *socket) Result {
	var passed *socket
	var files []afunix.Sendable
	if op.Kind == Pass {
		if passed = w.sockets[op.Other]; passed == nil || passed == s {
			return Result{Skipped: "nothing to pass"}
		}
		files = append(files, passed.end())
	} else {
		files = w.chosen(i, op.Files)
	}
	if w.Reference {
		if why := s.accountable(op.N, len(files)); why != "" {
			return Result{Skipped: why}
		}
	}
	r := w.sendLimited(op, h, s, payload(i, op.N), files)
	if op.Kind == Pass && r.Err.What == "" {
		delete(w.sockets, op.Other) // moved; the kernel's copy here must go, too
		passed.end().Close()
	}
	return r
}

func (w *world) sendLimited(op Op, h Hint, s *socket, data []byte, files []afunix.Sendable) Result {
	w.limit(s, h, waitsToWrite)
	var n int
	var err error
	switch op.Kind {
	case Write:
		n, err = s.conn.Write(data)
	case WriteTo:
		n, err = s.conn.WriteMsgTo(data, &net.UnixAddr{Name: w.path(op.Name), Net: s.net}, files...)
		// poll cannot tell for this destination: once more.
		if w.Reference && n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			s.conn.SetDeadline(time.Now().Add(short))
			n, err = s.conn.WriteMsgTo(data, &net.UnixAddr{Name: w.path(op.Name), Net: s.net}, files...)
		}
	default:
		n, err = s.conn.WriteMsg(data, files...)
	}
	if n > 0 {
		s.descs += len(files)
	}
	return Result{N: n, Err: w.failure(err)}
}

// chosen are the descriptors that operation i sends.
func (w *world) chosen(i, n int) []afunix.Sendable {
	rng := rand.New(rand.NewPCG(uint64(i), 0))
	files := make([]afunix.Sendable, n)
	for j := range files {
		files[j] = w.files[rng.IntN(len(w.files))]
	}
	return files
}

func (w *world) receive(op Op, s *socket) Result {
	buf := make([]byte, op.N)
	switch op.Kind {
	case Read:
		n, err := s.conn.Read(buf)
		return Result{N: n, Data: digest(buf[:n]), Err: w.failure(err)}
	case ReadFrom:
		n, from, err := s.conn.ReadFrom(buf)
		return Result{N: n, Data: digest(buf[:n]), Names: []string{w.shown(from)}, Err: w.failure(err)}
	}
	receive := s.conn.ReadMsg
	if op.Kind == Peek {
		receive = s.conn.PeekMsg
	}
	m, err := receive(buf)
	r := Result{N: len(m.Data), Data: digest(m.Data), Truncated: m.Truncated,
		Creds: w.credentials(m.Credentials), Err: w.failure(err)}
	if m.From != nil {
		r.Names = []string{w.shown(m.From)}
	}
	r.Rights = w.identify(m.Rights, op)
	return r
}

// identify says which descriptors came, and closes them, but for the first socket, which goes into
// op.Other.
func (w *world) identify(rights afunix.Rights, op Op) (found []string) {
	defer rights.Close()
	for i := range rights.Len() {
		switch k := rights.Kind(i); k {
		case afunix.KindUnix, afunix.KindUnixListener:
			found = append(found, k.String()+w.settle(rights, i, op))
		default:
			found = append(found, w.file(rights, i))
		}
	}
	return found
}

// settle puts a received socket into its slot.
func (w *world) settle(rights afunix.Rights, i int, op Op) string {
	if op.Kind != ReadMsg || w.sockets[op.Other] != nil {
		return ""
	}
	var s socket
	var err error
	if rights.Kind(i) == afunix.KindUnixListener {
		var l net.Listener
		if l, err = rights.Listener(i); err == nil {
			s.listener = l.(*afunix.Listener)
			s.net = l.Addr().Network()
		}
	} else {
		var c net.Conn
		if c, err = rights.Conn(i); err == nil {
			s.conn = c.(*afunix.Conn)
			s.net = c.LocalAddr().Network()
		}
	}
	if err != nil {
		return ": " + w.failure(err).What
	}
	s.dialled = true // it may not have been accepted
	w.sockets[op.Other] = &s
	return fmt.Sprint(" ", s.net, " ", w.addresses(&s).Names)
}

// file names descriptor i by what it refers to.
func (w *world) file(rights afunix.Rights, i int) string {
	f, err := rights.File(i)
	if err != nil {
		return w.failure(err).What
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return w.failure(err).What
	}
	for j, known := range w.infos {
		if os.SameFile(info, known) {
			return strconv.Itoa(j)
		}
	}
	return "stranger"
}

func (w *world) credentials(c *afunix.Credentials) string {
	if c == nil {
		return ""
	}
	who := strconv.Itoa(c.PID)
	for i, pid := range w.PIDs {
		if c.PID == pid {
			who = "process " + strconv.Itoa(i)
		}
	}
	return fmt.Sprint(who, " ", c.UID, " ", c.GID)
}

// expire reads and writes when the deadline is over.
func (w *world) expire(s *socket) Result {
	s.conn.SetDeadline(time.Now().Add(-time.Second))
	_, readErr := s.conn.Read(make([]byte, 1))
	_, writeErr := s.conn.Write([]byte{0})
	return Result{Late: []Failure{w.failure(readErr), w.failure(writeErr)}}
}

// Parts of Flood and Together.
const (
	flood Kind = 100 + iota // writes until it has to wait
	drain                   // reads N bytes
	burst                   // sends N messages to Name
	fill                    // sends messages to Name until it has to wait: after N, as far as the reference knows
)

// close closes every socket.
func (w *world) close() {
	for _, s := range w.sockets {
		s.end().Close()
	}
	clear(w.sockets)
}
