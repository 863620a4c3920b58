package difftest

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"afunix"
)

// A Tester has the two processes in which programs run.
type Tester struct {
	dir    string
	first  *local
	second *second
	runs   int
}

// NewTester starts the second process, which start prepares: it must call [Serve] with files. dir
// is for files and sockets.
func NewTester(dir string, start func(files string) *exec.Cmd) (*Tester, error) {
	files := filepath.Join(dir, "files")
	if err := os.Mkdir(files, 0o700); err != nil {
		return nil, err
	}
	if err := makeFiles(files); err != nil {
		return nil, err
	}
	first, err := newLocal(files)
	if err != nil {
		return nil, err
	}
	t := &Tester{dir: dir, first: first, second: &second{start: func() *exec.Cmd { return start(files) }}}
	if err := t.second.spawn(); err != nil {
		first.closeFiles()
		return nil, err
	}
	return t, nil
}

// Close ends the second process.
func (t *Tester) Close() {
	t.second.stop(false)
	t.first.closeFiles()
}

// run is one program on one transport.
type run struct {
	t       *Tester
	setting Setting
	slots   map[int]*slot
	ops     Program
	results []Result
	against *run // the reference; nil if this is it
	empty   int  // zero-length unixpacket records that may still be read: see differs.go
}

// A slot is what the tester knows of a socket, whose process knows the rest.
type slot struct {
	proc     int
	net      string
	name     string // that it listens at, or is bound to
	listener bool
	peer     int // the slot of its peer, if that is known
}

const nobody = -1

// begin prepares a run. Without a reference this is one.
func (t *Tester) begin(tr afunix.Transport, against *run) (*run, error) {
	t.runs++
	dir := filepath.Join(t.dir, fmt.Sprintf("%07d", t.runs)) // always of the same length
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	r := &run{t: t, slots: make(map[int]*slot), against: against}
	r.setting = Setting{
		Transport: tr,
		Reference: against == nil,
		Dir:       dir,
		Prefix:    fmt.Sprintf("difftest-%07d-%07d-", os.Getpid(), t.runs),
		PIDs:      []int{os.Getpid(), t.second.cmd.Process.Pid},
	}
	for i, p := range r.procs() {
		s := r.setting
		s.Proc = i
		if err := p.begin(s); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *run) procs() [2]process { return [2]process{r.t.first, r.t.second} }

// hint is what the reference says of the next operation.
func (r *run) hint() (h Hint) {
	if r.against != nil {
		ref := r.against.results[len(r.results)]
		h.Waits, h.Skipped = ref.waited(), ref.Skipped
	}
	return h
}

// do runs the next operation.
func (r *run) do(op Op) Result {
	res := r.execute(len(r.results), op, r.hint())
	r.ops, r.results = append(r.ops, op), append(r.results, res)
	if res.Skipped == "" {
		r.note(op, res)
	}
	return res
}

// execute runs an operation where it belongs.
func (r *run) execute(i int, op Op, h Hint) Result {
	if h.Skipped != "" {
		return Result{Skipped: h.Skipped}
	}
	switch op.Kind {
	case Unlink, Rename, Link, Symlink, Create, Stat:
		return r.file(op)
	case Kill:
		return r.kill()
	case Done:
		return r.done()
	case Listen, ListenPacket, Dial, Pair:
		if r.slots[op.Slot] != nil || op.Kind == Pair && r.slots[op.Other] != nil {
			return Result{Skipped: "slot taken"}
		}
		return r.procs()[op.Proc].do(i, op, h)
	case Connect:
		return r.connect(i, op)
	}
	s := r.slots[op.Slot]
	if s == nil {
		return Result{Skipped: "slot empty"}
	}
	switch op.Kind {
	case Pass:
		if why := r.unpassable(s, op.Other); why != "" {
			return Result{Skipped: why}
		}
	case Accept:
		if r.slots[op.Other] != nil {
			return Result{Skipped: "slot taken"}
		}
	case Flood:
		return r.flood(i, op, h)
	case Together:
		return r.together(i, op)
	}
	return r.procs()[s.proc].do(i, op, h)
}

// unpassable says why the socket in a slot cannot be passed through s. When the kernel frees a
// cycle of sockets in flight is open (row 55), so none is made: the receiver must be a socket that
// somebody holds, and another than the one that is passed.
func (r *run) unpassable(s *slot, passed int) string {
	o := r.slots[passed]
	switch {
	case o == nil || o.proc != s.proc:
		return "nothing to pass"
	case s.peer == nobody || s.peer == passed:
		return "perhaps a cycle"
	}
	return ""
}

// note keeps account of what is in the slots.
func (r *run) note(op Op, res Result) {
	switch op.Kind {
	case Write, WriteMsg:
		if s := r.slots[op.Slot]; s != nil && s.net == "unixpacket" && op.N == 0 && res.Err.What == "" {
			r.empty++
		}
	case ReadMsg:
		if s := r.slots[op.Slot]; s != nil && s.net == "unixpacket" && res.N == 0 && len(res.Rights) > 0 && !res.Truncated {
			r.empty-- // its descriptors tell it from the end
		}
		r.received(op, res)
	}
	if res.Err.What != "" && op.Kind != Close {
		return
	}
	switch op.Kind {
	case Listen:
		r.slots[op.Slot] = &slot{proc: op.Proc, net: op.Net, name: op.Name, listener: true, peer: nobody}
	case ListenPacket:
		r.slots[op.Slot] = &slot{proc: op.Proc, net: op.Net, name: op.Name, peer: nobody}
	case Dial:
		r.slots[op.Slot] = &slot{proc: op.Proc, net: op.Net, name: op.Name2, peer: nobody}
	case Pair:
		r.slots[op.Slot] = &slot{proc: op.Proc, net: op.Net, peer: op.Other}
		r.slots[op.Other] = &slot{proc: op.Proc, net: op.Net, peer: op.Slot}
	case Connect:
		r.slots[op.Slot] = &slot{proc: op.Proc, net: op.Net, peer: op.Other}
		r.slots[op.Other] = &slot{proc: 1 - op.Proc, net: op.Net, peer: op.Slot}
	case Accept:
		l := r.slots[op.Slot]
		r.slots[op.Other] = &slot{proc: l.proc, net: l.net, peer: nobody}
	case Close:
		r.forget(op.Slot)
	case Pass:
		r.forget(op.Other)
	case Kill:
		for i, s := range r.slots {
			if s.proc == 1 {
				r.forget(i)
			}
		}
	}
}

// forget empties a slot.
func (r *run) forget(i int) {
	if s := r.slots[i]; s != nil && s.peer != nobody && r.slots[s.peer] != nil {
		r.slots[s.peer].peer = nobody
	}
	delete(r.slots, i)
}

// received notes a socket that came into a slot.
func (r *run) received(op Op, res Result) {
	for _, what := range res.Rights {
		var kind, network string
		if n, _ := fmt.Sscanf(what, "unix %s %s", &kind, &network); n == 2 && r.slots[op.Other] == nil && network[0] == 'u' {
			r.slots[op.Other] = &slot{proc: r.slots[op.Slot].proc, net: network,
				listener: kind == "listener", peer: nobody}
		} else if n, _ := fmt.Sscanf(what, "unix socket %s", &network); n == 1 && r.slots[op.Other] == nil {
			r.slots[op.Other] = &slot{proc: r.slots[op.Slot].proc, net: network, peer: nobody}
		}
	}
}

// file does what a system call on a name does. The errors of package os name the two paths, which
// are not compared.
func (r *run) file(op Op) Result {
	name, other := r.setting.path(op.Name), r.setting.path(op.Name2)
	var err error
	switch op.Kind {
	case Unlink:
		err = os.Remove(name)
	case Rename:
		err = os.Rename(name, other)
	case Link:
		err = os.Link(name, other)
	case Symlink:
		err = os.Symlink(name, other)
	case Create:
		err = os.WriteFile(name, nil, 0o600)
	case Stat:
		var info fs.FileInfo
		if info, err = os.Lstat(name); err == nil {
			return Result{Detail: info.Mode().String()}
		}
	}
	if err != nil {
		return Result{Err: Failure{What: what(err)}}
	}
	return Result{}
}

// kill ends the second process as the system ends it.
func (r *run) kill() Result {
	pid, err := r.t.second.restart()
	if err != nil {
		return Result{Err: Failure{What: "died"}, Detail: err.Error()}
	}
	r.t.first.w.PIDs = append(r.t.first.w.PIDs, pid)
	return Result{}
}

// listening is the slot that Connect listens in.
const listening = 1000

// connect makes a connection between the processes.
func (r *run) connect(i int, op Op) Result {
	if r.slots[op.Slot] != nil || r.slots[op.Other] != nil || op.Slot == op.Other {
		return Result{Skipped: "slot taken"}
	}
	name := fmt.Sprint("connect", i)
	server, client := r.procs()[op.Proc], r.procs()[1-op.Proc]
	if op.Net == "unixgram" {
		return r.connectDatagram(i, op, server, client)
	}
	res := server.do(i, Op{Kind: Listen, Slot: listening, Net: op.Net, Name: name}, Hint{})
	if res.Err.What == "" {
		res = client.do(i, Op{Kind: Dial, Slot: op.Other, Net: op.Net, Name: name}, Hint{})
	}
	if res.Err.What == "" {
		res = server.do(i, Op{Kind: Accept, Slot: listening, Other: op.Slot}, Hint{})
	}
	server.do(i, Op{Kind: Close, Slot: listening}, Hint{})
	return res
}

// connectDatagram connects a datagram socket to another, which sends to nobody.
func (r *run) connectDatagram(i int, op Op, server, client process) Result {
	name := fmt.Sprint("connect", i)
	if op.On {
		name = "@" + name
	}
	res := server.do(i, Op{Kind: ListenPacket, Slot: op.Slot, Net: op.Net, Name: name}, Hint{})
	if res.Err.What == "" {
		res = client.do(i, Op{Kind: Dial, Slot: op.Other, Net: op.Net, Name: name}, Hint{})
	}
	return res
}

// flood fills a connection and empties it. How much fits is not compared, but that what was written
// is read.
func (r *run) flood(i int, op Op, h Hint) Result {
	s := r.slots[op.Slot]
	if s.net == "unixgram" {
		return r.fill(i, op, h)
	}
	if s.peer == nobody || op.N == 0 {
		return Result{Skipped: "no peer to read"}
	}
	p := r.procs()
	written := p[s.proc].do(i, Op{Kind: flood, Slot: op.Slot, N: op.N}, h)
	if written.Skipped != "" {
		return written
	}
	res := Result{Err: written.Err}
	read := p[r.slots[s.peer].proc].do(i, Op{Kind: drain, Slot: s.peer, N: written.N}, Hint{})
	if read.N != written.N || read.Data != written.Data {
		res.Detail = fmt.Sprintf("written %v, read %v", written, read)
	}
	return res
}

// fill sends datagrams to a socket until its queue is full. How many that takes is exact, and is
// compared.
func (r *run) fill(i int, op Op, h Hint) Result {
	name := r.slots[op.Slot].name
	if name == "" {
		return Result{Skipped: "no name to send to"}
	}
	send := Op{Kind: fill, Name: name}
	if r.against != nil {
		send.N = r.against.results[i].N
	}
	return r.procs()[op.Proc].do(i, send, h)
}

// together lets both processes send to a socket at the same time. Linux leaves open in which order
// the messages of two senders come, but keeps each sender's own order: that is what is compared.
func (r *run) together(i int, op Op) Result {
	s := r.slots[op.Slot]
	if s.net != "unixgram" || s.name == "" || op.N > 5 { // more than the receiver's queue takes would wait
		return Result{Skipped: "not for this socket"}
	}
	p := r.procs()
	if r.setting.Reference && p[s.proc].ready(op.Slot) {
		return Result{Skipped: "not drained"}
	}
	other := make(chan Result)
	send := Op{Kind: burst, Name: s.name, N: op.N}
	go func() { other <- p[1].do(i, send, Hint{}) }()
	sent := [2]Result{p[0].do(i, send, Hint{})}
	sent[1] = <-other
	res := Result{Late: slices.Concat(sent[0].Late, sent[1].Late)}
	var order [2][]int
	for _, f := range res.Late {
		if f.What != "" {
			continue
		}
		read := p[s.proc].do(i, Op{Kind: Read, Slot: op.Slot, N: 100}, Hint{})
		for proc := range order {
			for j := range op.N {
				if read.Data == digest(burstMessage(i, proc, j)) {
					order[proc] = append(order[proc], j)
				}
			}
		}
	}
	res.Detail = fmt.Sprint(sent[0].Err.What, sent[1].Err.What, order)
	return res
}

// done closes everything. What the processes have open then must be what they had before.
func (r *run) done() Result {
	clear(r.slots)
	for _, p := range r.procs() {
		p.close()
	}
	var left [2]int
	for i, p := range r.procs() {
		left[i] = p.left()
	}
	removeAll(r.setting.Dir)
	if left != [2]int{} {
		return Result{Detail: fmt.Sprintf("descriptors left open: %v", left)}
	}
	return Result{}
}

// removeAll removes a directory and the files in it.
func removeAll(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		os.Remove(filepath.Join(dir, e.Name()))
	}
	os.Remove(dir)
}
