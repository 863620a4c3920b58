package sim

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var breakIt = flag.Bool("mutants", false, "break the engine in each way that is listed, and see that a check notices")

// A mutant is the engine with one thing broken: the one place in file that reads old reads new.
type mutant struct{ name, file, old, new string }

var mutants = []mutant{
	{"an acknowledgement is lost", "sock/debts.go", "		o.ack = serial\n		o.Owe(DebtAck)\n", "		o.ack = serial\n"},
	{"acknowledged before it is adopted", "endpoint/inbox.go", "	set, err := ends.Message(p)\n", "	c.pen.acknowledge(p.Serial)\n	set, err := ends.Message(p)\n"},
	{"released before the acknowledgement", "endpoint/outbox.go", "	m.of = s.outbox\n	s.box.Track(&m.room, (*parked)(m))\n", "	s.box.Track(&m.room, nil)\n	s.c.mu.Unlock()\n	m.copies().Release()\n	s.c.mu.Lock()\n"},
	{"no take-back after a goodbye", "sock/outbox.go", "o.end(Severed, Parked.TakeBack)", "o.end(Severed, Parked.Release)"},
	{"no take-back of what was not written", "endpoint/message.go", "	m.TakeBack()\n	m.ends.Undo()", "	m.Release()\n	m.ends.Undo()"},
	{"take-back after the death of the pipe", "sock/outbox.go", "o.end(Buried, Parked.Release)", "o.end(Buried, Parked.TakeBack)"},
	{"parked copies are never released", "sock/outbox.go", "o.finish(Acknowledged, Parked.Release)", "o.finish(Acknowledged, func(Parked) {})"},
	{"more is granted than is bounded", "sock/inbox.go", "	grant := in.state.RightsConsumed + in.state.RightsWindow\n", "	grant := in.state.RightsConsumed + 2*in.state.RightsWindow\n"},
	{"the credit for descriptors is not looked at", "sock/outbox.go", "(weight == 0 || o.state.RightsSent+uint64(weight) <= o.state.RightsLimit)", "true"},
	{"credit is not given back", "sock/inbox.go", "		in.state.RightsConsumed += s.rights()\n		r.Rights,", "		r.Rights,"},
	{"two packets are swapped", "sock/inbox.go", "	in.queue.push(s)\n	return true, nil", "	in.queue.push(s)\n	if n := in.queue.len(); n > 1 && in.queue.at(n-2).Rights == nil && in.queue.at(n-2).Placed+s.Placed == 0 {\n		*in.queue.at(n - 1), *in.queue.at(n - 2) = *in.queue.at(n - 2), *in.queue.at(n - 1)\n	}\n	return true, nil"},
	{"a read goes on past descriptors", "sock/inbox.go", "		in.finish(s)\n		if stop {\n			break\n		}", "		in.finish(s)\n		_ = stop"},
	{"descriptors nobody read are kept", "endpoint/session.go", "		r.Discard()\n", "		_ = r\n"},
	{"a message half adopted is kept", "rights/adopt.go", "			set.Discard()\n			Discard(t", "			Discard(t"},
	{"the rest of a message is not discarded", "rights/adopt.go", "			Discard(t, peer, route, rest, n-i-1)\n", ""},
	{"the message is split before its descriptors", "endpoint/outbox.go", "		m, begun = nil, c.typ != sock.Stream\n", "		m, begun = nil, false\n"},
	{"a waiting send is not woken by the acknowledgement", "endpoint/message.go", "		m.let = nil\n		o.cond.Broadcast()\n", "		m.let = nil\n"},
	{"descriptors go to a peer that is moving", "sock/moves.go", "	m.out = m.out && first\n", ""},
	{"an end that did not move stays paused", "sock/moves.go", "	Detached:  {refused, refused, Detached, Stays,", "	Detached:  {refused, refused, Detached, Begun,"},
	{"a moved end leaves its queue behind", "endpoint/move_session.go", "	s := c.state()\n", "	s := c.state()\n	s.Segments = nil\n"},
	{"the mover goes on reading", "endpoint/move_session.go", "	if !c.moves.over(m) {\n		c.turn.drain()\n	}\n", ""},
	{"a packet that has found no room stays booked", "sock/outbox.go", "	o.state.Sent -= a.cost()\n", ""},
	{"what is owed while somebody writes is not said", "endpoint/outbox.go", "				c.pen.payLocked()\n				return err\n", "				return err\n"},
	// What the simulator has found, put back.
	{"who dies with a message has not had it", "sock/outbox.go", "o.end(Buried, Parked.Release)", "o.end(Severed, Parked.Release)"},
	{"copies are released before the pipe is closed", "endpoint/close.go", "	err := c.pipe.Hangup()\n	for _, p := range left {\n		(*message)(p.(*parked)).copies().Release()\n	}\n", "	for _, p := range left {\n		(*message)(p.(*parked)).copies().Release()\n	}\n	err := c.pipe.Hangup()\n"},
	{"a pull counts whatever its sender has done", "endpoint/inbox.go", "(err != nil || route.Way == rights.Pull) && !told && !c.pipe.Connected()", "err != nil && !told && !c.pipe.Connected()"},
	{"an acknowledgement that waited for room has not got out", "endpoint/inbox.go", " && !(due && c.pen.acknowledged())", " && (due || true)"},
	{"a Read goes on though its end is closed", "endpoint/read.go", "	if c.closed { // meanwhile", "	if false { // meanwhile"},
	{"what is behind descriptors that died is lost", "endpoint/inbox.go", "errors.Is(err, syscall.ESRCH), err == errLetGo:", "err == syscall.ENOENT:"},
	{"both ends that move over themselves wait", "sock/moves.go", "if first || crossed", "if false || crossed"},
	{"a ready is not heard while the end moves", "sock/moves.go", "return m.other == Present, nil", "return m.other == Present && !m.Leaving(), nil"},
	{"a ready from before the hello counts", "sock/moves.go", "m.in, m.out = true, m.word != greeting", "m.in, m.out = true, true"},
	{"an end that stays sends before it is answered", "sock/moves.go", "	m.out = false // until it has been answered\n", ""},
	{"an acknowledgement that nobody has read is a lie", "sock/outbox.go", "	case o.inherited > 0 && serial <= o.inherited:", "	case false:"},
	{"luggage stays in front of its message", "sock/moves.go", "m.Held() && !(begun && m.Holds())", "m.Held()"},
	{"credit is what it was", "endpoint/owed.go", "		credit := c.in.box.Reported()\n", "		credit := sock.Credit{Rights: sock.RightsWindow}\n"},
	{"what was read before its end began to live never does", "endpoint/move_peer.go", "	move.StartAll(nested) // somebody", "	_ = nested // somebody"},
	{"luggage waits for a message that will not come", "endpoint/move_peer.go", "	luggage.discard()\n	return err\n", "	_ = luggage\n	return err\n"},
	{"an acknowledgement takes back a later one", "sock/debts.go", "	if serial > o.ack {\n", "	if true {\n"},
	{"a Move is acknowledged with what came behind it", "sock/debts.go", "case serial > o.held:", "case false:"},
	{"an end moves again before it is answered", "endpoint/move_session.go", "v.answered() && v.acknowledged()", "v.acknowledged()"},
	{"an end over itself nudges itself", "endpoint/move_session.go", "	c.turn.wakeWritesLocked() // and not", "	c.wakeWritesLocked() // and not"},
	{"luggage is never taken back", "endpoint/admin.go", "	c.out.returnStraysLocked()\n", ""},
	{"who closes does not wait for luggage to come back", "endpoint/close.go", " || c.moves.Holds() || len(c.out.strays) > 0 || len(c.out.exported) > 0", ""},
	{"luggage is taken back from the next owner", "endpoint/move_peer.go", "	c.out.forgetStraysLocked()\n	var luggage", "	var luggage"},
	{"luggage that strays when the peer stays is taken back", "endpoint/luggage.go", " || c.moves.PeerWaits()", ""},
	{"who stays leaves luggage to its sender", "endpoint/admin.go", "	c.moves.heededLocked()\n", ""},
	{"luggage waits for the next owner of the sender's end", "endpoint/move_peer.go", "	if !v.PeerWaits() {", "	if false {"},
	{"a liar takes back what is being closed", "endpoint/close.go", "	c.pen.lock()\n	left, came", "	c.pen.lock()\n	u := c.in.takeUnclaimedLocked(false)\n	c.mu.Unlock()\n	u.discard()\n	c.pen.lock()\n	left, came"},
	{"what comes behind a goodbye is kept", "endpoint/inbox.go", "			in.behindLocked(p)\n", ""},
	{"sockets that have strayed are closed", "endpoint/luggage.go", "			o.Keep(exported)\n", "			exported.Release()\n"},
	{"who closes does not wait until sockets have been imported", "endpoint/close.go", "	case c.closed && c.stage != paused: // whoever has closed it says goodbye, and hears what becomes of the rest\n		c.mu.Unlock()\n", "	case c.closed && c.stage != paused:\n		c.mu.Unlock()\n		c.ended(why)\n"},
	{"luggage is taken back that the peer has closed", "endpoint/move_peer.go", "	c.out.forgetStraysLocked()\n	return luggage, nil\n", "	return luggage, nil\n"},
	{"who closes does not hear that the other end lives", "endpoint/close.go", " || !c.moves.HearsBye()", ""},
	{"a goodbye that finds room late is not said", "endpoint/close.go", "		c.pen.tryGoodbyeLocked()\n", ""},
	{"nobody looks at what came after a close", "endpoint/close.go", "	c.leftovers()\n", ""},
	{"a connection is ended while descriptors are adopted", "endpoint/message.go", "c.abort(syscall.ECONNABORTED)", "c.ended(syscall.ECONNABORTED)"},
	{"an end moves that is broken", "endpoint/move_session.go", "	broke := c.in.failure != nil\n	c.mu.Unlock()\n	if broke {\n		return 0,", "	broke := false\n	c.mu.Unlock()\n	if broke {\n		return 0,"},
	{"a Read takes from the queue of an end that moves", "endpoint/move_session.go", "c.turn.oneRead == noRead && v.quiet()", "v.quiet()"},
	{"who stays is not awaited", "sock/moves.go", " && (m.Leaving() || m.recants())", " && m.Leaving()"},
	{"who stays and moves again is not awaited", "sock/moves.go", "first := crossed && m.announced == Itself", "first := crossed && m.route == Itself"},
	{"who leaves awaits an end that was to go over itself", "sock/moves.go", " || crossed && m.announced == Elsewhere", ""},
	{"a deadline that does not count hides the end", "endpoint/outbox.go", "		late := s.deadline.expired && !begun\n		if err := s.errorOf(min(sock.Stopped(c.closed, late), s.box.Obstacle())); err != nil {", "		if err := s.writeStoppedLocked(); err != nil && !(begun && s.deadline.expired) {"},
	{"what comes to an end that is closed while it moves is discarded", "endpoint/inbox.go", "c.closed && c.stage != paused", "c.closed"},
	{"what a broken end has sent is forgotten if it is closed", "endpoint/move_session.go", "	if !closed {\n		left =", "	if true {\n		left ="},
	{"a mover is not told that a message has been taken back", "endpoint/message.go", "	o.c.turn.wakeMoverLocked()\n", "	o.cond.Broadcast()\n"},
	{"a mover is not told that a packet has been written", "endpoint/pen.go", "	c.turn.wakeMoverLocked()\n", "	c.out.cond.Broadcast()\n"},
	{"a connection that is being ended is closed once more", "endpoint/close.go", "c.pen.parting != together", "false && c.pen.parting != together"},
	{"a datagram that is there in part is not refused", "endpoint/close.go", "	c.refuseRestLocked()\n	c.in.box.Close()\n", "	c.in.box.Close()\n"},
	{"descriptors travel as they did when a message began", "endpoint/message.go", "m.route == s.c.peer.to && s.c.moves.Load()", "s.c.moves.Load()"},
	{"what a former owner was told is heard", "endpoint/admin.go", "	case c.peer.alleged:", "	case false:"},
	{"a message that is given up keeps its end from moving", "sock/moves.go", "	if m.message != partly {\n		return false", "	if true {\n		return false"},
	{"who leaves word does not wait for what is unacknowledged", "endpoint/move_session.go", "v.answered() && v.acknowledged()", "v.answered()"},
	{"a connection is ended in the middle of a message", "endpoint/close.go", "partly := c.above.receipt() && ", "partly := false && "},
	{"a message is as long as its luggage", "sock/inbox.go", "	if !a.Continued && !(in.luggage && a.Luggage) {", "	if !a.Continued && !in.luggage {"},
	{"what is ignored is acknowledged with what comes later", "sock/debts.go", "	if o.end > 0 && serial >= o.end {", "	if false {"},
	{"an answer of a peer that has died is a lie", "sock/moves.go", "	m.asked = !is.Waits", "	m.asked = false"},
	{"an answer behind a goodbye is a lie", "endpoint/admin.go", "	if c.in.box.Left() && (", "	if false && ("},
	{"ends wait for room", "endpoint/outbox.go", "		if !begun && m.moves() &&", "		if !begun && false &&"},

	// Datagrams and listeners.
	{"a datagram goes to the next owner of the name, too", "endpoint/offer.go", "		return n, gone(incomplete)\n", "		_ = incomplete\n		return 0, errGone\n"},
	{"the last datagram comes first", "sock/mailbox.go", "		m.queue = append(m.queue, l)\n", "		m.queue = append([]*Link[C]{l}, m.queue...)\n"},
	{"a datagram is acknowledged twice, the next one never", "endpoint/incoming.go", "owed.Acknowledge(e.Serial)", "owed.Acknowledge(max(e.Serial, 2) - 1)"},
	{"datagrams that are held do not move", "sock/state.go", "	for _, l := range m.held {\n		o.Held", "	for _, l := range m.held[:0] {\n		o.Held"},
	{"a number of a moved end does not move", "wire/luggage.go", "[]*uint32{&in.Message, &in.Pieces,", "[]*uint32{&in.Pieces, &in.Pieces,"},
	{"an end of a move that fails does not stay", "move/outgoing.go", "	m.Stay()\n	m.carrier.Unwatch(m)\n", "	m.carrier.Unwatch(m)\n"},
	{"luggage that the peer closes is taken back", "move/pack.go", "range p.luggage[p.written:] {", "range p.luggage {"},
	{"clients do not move with their listener", "endpoint/move_door.go", "	for _, at := range l.backlog.Queue() {\n		if err := m.AddPart(at.Client); err != nil {", "	for _, at := range l.backlog.Queue()[:0] {\n		if err := m.AddPart(at.Client); err != nil {"},
	{"an exported socket is not discarded", "rights/adopt.go", "		if v, err := obtain(peer, route, r); err == nil {", "		if v, err := obtain(peer, route, r); err == nil && r.Owner != wire.Exported {"},
}

// TestMutants runs the other tests on each mutant. Without -mutants it only sees that they still
// fit the engine.
func TestMutants(t *testing.T) {
	for name := range elsewhere {
		if !slices.ContainsFunc(mutants, func(m mutant) bool { return m.name == name }) {
			t.Errorf("no mutant is called %q", name)
		}
	}
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
				t.Log(survive(t, m.name, path, strings.Replace(string(source), m.old, m.new, 1)))
			}
		})
	}
}

// complaint is how a check begins what it says.
var complaint = regexp.MustCompile(`(?m)^\s+(received exactly once|failed, nothing sent|at most once|order and boundaries|adopted within the bound|left behind|honest peers|faults|waits for ever): |^panic: .*|^fatal error: .*`)

// elsewhere are the tests that notice what the simulator does not, or only now and then: a package,
// and a test of it.
var elsewhere = map[string][2]string{
	"who dies with a message has not had it":                    {"../endpoint", "TestP3ReceiverDiesWithTheMessage"},
	"copies are released before the pipe is closed":             {"../endpoint", "TestP3PipeIsClosedBeforeCopiesAreReleased"},
	"a pull counts whatever its sender has done":                {"../endpoint", "TestP3LateReceiverPullsNothingElse"},
	"an acknowledgement that waited for room has not got out":   {"../endpoint", "TestP3AcknowledgementFindsRoomAndItsSenderCloses"},
	"a packet that has found no room stays booked":              {"../sock", "TestWhatHasNotBeenWrittenIsTakenBack"},
	"what is owed while somebody writes is not said":            {"../endpoint", "TestWriterPaysWhatIsOwedMeanwhile"},
	"a Move is acknowledged with what came behind it":           {"../sock", "TestNothingIsAcknowledgedBehindWhatIsHeld"},
	"an end moves again before it is answered":                  {"../endpoint", "TestAnEndStaysTwiceBeforeItIsAnswered"},
	"an end moves that is broken":                               {"../endpoint", "TestAnEndThatBreaksWhileItMoves"},
	"who stays and moves again is not awaited":                  {"../endpoint", "TestAnEndMovesAgainThatCouldNotSayThatItStays"},
	"who leaves awaits an end that was to go over itself":       {"../endpoint", "TestAnEndThatLeavesWhileTheOtherOneWasToGoOverItself"},
	"what a broken end has sent is forgotten if it is closed":   {"../endpoint", "TestAnEndThatBreaksAndIsClosedBeforeItStays"},
	"a mover is not told that a packet has been written":        {"../endpoint", "TestAnEndMovesOnceWhatIsHalfDoneIs"},
	"a connection that is being ended is closed once more":      {"../endpoint", "TestCloseOfAConnectionThatIsBeingEnded"},
	"an acknowledgement takes back a later one":                 {"../sock", "TestPayment"},
	"luggage is never taken back":                               {"../endpoint", "TestP4LuggageWhoseMessageDoesNotCome"},
	"who closes does not wait for luggage to come back":         {"../endpoint", "TestP4LuggageWhoseMessageDoesNotCome"},
	"luggage is taken back from the next owner":                 {"../endpoint", "TestP4LuggageIsNotTakenBackFromTheNextOwner"},
	"luggage that strays when the peer stays is taken back":     {"../endpoint", "TestP4LuggageOfAPeerThatStays"},
	"who stays leaves luggage to its sender":                    {"../endpoint", "TestP4LuggageOfAPeerThatStays"},
	"luggage waits for the next owner of the sender's end":      {"../endpoint", "TestP4LuggageOfASenderThatMoves"},
	"a liar takes back what is being closed":                    {"../endpoint", "TestP4LuggageOfALiarIsClosedOnce"},
	"what comes behind a goodbye is kept":                       {"../endpoint", "TestP4MessageBehindAGoodbyeThatIsNeverSaid"},
	"sockets that have strayed are closed":                      {"../endpoint", "TestP4SocketsInLuggageWhoseMessageDoesNotCome"},
	"who closes does not wait until sockets have been imported": {"../endpoint", "TestP4SocketsInLuggageWhoseMessageDoesNotCome"},
	"who closes does not hear that the other end lives":         {"../endpoint", "TestP8GoodbyeToAnEndThatHasMovedOverItself"},
	"a goodbye that finds room late is not said":                {"../endpoint", "TestP4GoodbyeThatFindsRoomAtTheLastMoment"},
	"descriptors travel as they did when a message began":       {"../endpoint", "TestDescriptorsTravelAsWasAgreedOnLast"},
	"a message that is given up keeps its end from moving":      {"../endpoint", "TestAnEndMovesThatHasShutDownInTheMiddleOfARecord"},
	"an answer behind a goodbye is a lie":                       {"../endpoint", "TestAnEndThatHasMovedHearsWhatItsFormerOwnerWasTold"},
	"a message is as long as its luggage":                       {"../sock", "TestAMessageBehindLuggageIsAsLongAsAny"},
	"what is ignored is acknowledged with what comes later":     {"../endpoint", "TestP4NothingIsAcknowledgedBehindAGoodbye"},
	"an answer of a peer that has died is a lie":                {"../endpoint", "TestAnEndThatHasMovedHearsWhatItsFormerOwnerWasTold"},
	"what a former owner was told is heard":                     {"../endpoint", "TestAnEndThatHasMovedHearsWhatItsFormerOwnerWasTold"},
	"ends wait for room":                                        {"../endpoint", "TestAnEndThatWaitsForRoomIsRead"},
	"a Read goes on though its end is closed":                   {"../endpoint", "TestCloseWhileReading"},
	"what is behind descriptors that died is lost":              {"../endpoint", "TestP3SenderDiesBeforeTheMessageIsAdopted"},
	"a datagram goes to the next owner of the name, too":        {"../endpoint", "TestADatagramGoesToOneOwnerOfAName"},
	"a number of a moved end does not move":                     {"../wire", "TestEveryFieldOfAStateMoves"},
	"an end of a move that fails does not stay":                 {"../move", "TestAMoveThatFails"},
	"luggage that the peer closes is taken back":                {"../move", "TestLuggageThatIsHalfWritten"},
	"datagrams that are held do not move":                       {"../apitest", "TestExchangeADatagramSocketMovesUnderFire"},
}

// fails runs one test on a mutant, and fails if that does not.
func fails(t *testing.T, overlay string, test [2]string) string {
	out, err := exec.Command("go", "test", "-overlay", overlay, "-count", "1", "-timeout", "5m", "-run", "^"+test[1]+"$", test[0]).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--- FAIL: "+test[1]) {
		t.Fatalf("%s has not noticed: %v, %.2000s", test[1], err, out)
	}
	return test[1]
}

// survive returns which checks have noticed, and fails if none has.
func survive(t *testing.T, name, path, source string) string {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.go")
	overlay := filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{path: broken}})
	if err != nil {
		t.Fatal(err)
	}
	for to, b := range map[string][]byte{broken: []byte(source), overlay: text} {
		if err := os.WriteFile(to, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if test, ok := elsewhere[name]; ok {
		return fails(t, overlay, test)
	}
	bin := filepath.Join(dir, "sim.test")
	if out, err := exec.Command("go", "test", "-c", "-o", bin, "-overlay", overlay, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var out []byte
	for _, tests := range []string{"Kept|Seeds", "Migration", "Matrix"} {
		out, err = exec.Command(bin, "-test.timeout", "5m", "-test.failfast", "-test.run", tests, "-seeds", "8000").CombinedOutput()
		if err != nil {
			break
		}
	}
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
