package sim

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var breakIt = flag.Bool("mutants", false, "break the engine in each way that is listed, and see that a check notices")

// A mutant is the engine with one thing broken: the one place in file that reads old reads new.
type mutant struct{ name, file, old, new string }

var mutants = []mutant{
	{"an acknowledgement is lost", "endpoint/owed.go", "	c.out.owed.ack = serial\n	c.out.owed.note(debtAck)\n	c.pay()\n", "	c.out.owed.ack = serial\n"},
	{"acknowledged before it is adopted", "endpoint/receive.go", "	set, err := u.message(p)\n", "	c.acknowledge(p.Serial)\n	set, err := u.message(p)\n"},
	{"released before the acknowledgement", "sock/outbox.go", "	t.serial, t.parked = o.serial, parked\n", "	t.serial = o.serial\n	if parked != nil {\n		parked.Release()\n	}\n"},
	{"no take-back after a goodbye", "sock/outbox.go", "o.end(Parked.TakeBack)", "o.end(Parked.Release)"},
	{"no take-back of what was not written", "endpoint/message.go", "	m.TakeBack()\n	m.parcel.undo()", "	m.Release()\n	m.parcel.undo()"},
	{"take-back after the death of the pipe", "sock/outbox.go", "o.end(Parked.Release)", "o.end(Parked.TakeBack)"},
	{"parked copies are never released", "sock/outbox.go", "o.finish(Acknowledged, Parked.Release)", "o.finish(Acknowledged, func(Parked) {})"},
	{"more is granted than is bounded", "sock/inbox.go", "	grant := in.rightsConsumed + in.rightsWindow\n", "	grant := in.rightsConsumed + 2*in.rightsWindow\n"},
	{"the credit for descriptors is not looked at", "sock/outbox.go", "(weight == 0 || o.rightsSent+uint64(weight) <= o.rightsLimit)", "true"},
	{"credit is not given back", "sock/inbox.go", "		in.rightsConsumed += s.rights()\n		r.Rights,", "		r.Rights,"},
	{"two packets are swapped", "sock/inbox.go", "	in.queue.push(s)\n	return true, nil", "	in.queue.push(s)\n	if n := in.queue.len(); n > 1 && in.queue.at(n-2).Rights == nil && in.queue.at(n-2).Placed+s.Placed == 0 {\n		*in.queue.at(n - 1), *in.queue.at(n - 2) = *in.queue.at(n - 2), *in.queue.at(n - 1)\n	}\n	return true, nil"},
	{"a read goes on past descriptors", "sock/inbox.go", "		in.finish(s)\n		if stop {\n			break\n		}", "		in.finish(s)\n		_ = stop"},
	{"descriptors nobody read are kept", "endpoint/conn.go", "		r.Close() // nobody is left who could be told\n", "		_ = r\n"},
	{"a message half adopted is kept", "rights/adopt.go", "			set.Close()\n			Discard(t", "			Discard(t"},
	{"the rest of a message is not discarded", "rights/adopt.go", "			Discard(t, peer, route, rest, n-i-1)\n", ""},
	{"the message is split before its descriptors", "endpoint/send.go", "		m, begun = nil, c.typ != sock.Stream\n", "		m, begun = nil, false\n"},
	{"a waiting send is not woken by the acknowledgement", "endpoint/receive.go", "	err := change(&c.out)\n	c.out.cond.Broadcast()\n", "	err := change(&c.out)\n"},
	{"descriptors go to a peer that is moving", "endpoint/shift.go", "	c.out.ready, s.wasReady = false, false\n	c.letGo()\n", "	s.wasReady = false\n	c.letGo()\n"},
	{"an end that did not move stays paused", "endpoint/departure.go", "	s.paused, s.detached = false, false\n", "	s.detached = false\n"},
	{"a moved end leaves its queue behind", "endpoint/parcel.go", "	s, segments := c.state()\n", "	s, segments := c.state()\n	segments = nil\n"},
	{"the mover goes on reading", "endpoint/departure.go", "	if !d.over(c) {\n		c.drain()\n	}\n", ""},
}

// TestMutants runs the other tests on each mutant. Without -mutants it only sees that they still fit the engine.
func TestMutants(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			path, err := filepath.Abs(filepath.Join("..", filepath.FromSlash(m.file)))
			if err != nil {
				t.Fatal(err)
			}
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), m.old); n != 1 {
				t.Fatalf("%s has %d places to break", m.file, n)
			}
			if *breakIt {
				t.Log(survive(t, path, strings.Replace(string(source), m.old, m.new, 1)))
			}
		})
	}
}

// complaint is how a check begins what it says.
var complaint = regexp.MustCompile(`(?m)^\s+(received exactly once|failed, nothing sent|at most once|order and boundaries|adopted within the bound|left behind|faults|waits for ever): |^panic: .*|^fatal error: .*`)

// survive returns which checks have noticed, and fails if none has.
func survive(t *testing.T, path, source string) string {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.go")
	overlay := filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{path: broken}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{broken: []byte(source), overlay: text} {
		if err := os.WriteFile(name, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "test", "-overlay", overlay, "-timeout", "2m", "-run", "Matrix|Migration|Seeds", ".", "-args", "-seeds", "1500")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatal("nobody has noticed")
	}
	seen := make(map[string]bool)
	var names []string
	for _, m := range complaint.FindAllString(string(out), -1) {
		if m = strings.TrimSpace(m); !seen[m] {
			seen[m] = true
			names = append(names, strings.TrimSuffix(m, ":"))
		}
	}
	if len(names) == 0 {
		t.Fatalf("%v without a complaint: %.2000s", err, out)
	}
	return strings.Join(names, "; ")
}
