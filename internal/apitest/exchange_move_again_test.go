//go:build linux || windows

package apitest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"afunix/internal/testenv"
)

// Ends that move again and again, together, and while their processes end.

// meetAnother starts another servant beside one that is there.
func meetAnother(t *testing.T, a meeting) *peer {
	t.Helper()
	a.path += "b"
	return meet(t, a, "obey")
}

// From here to a second process, from there to a third one over a connection whose ends have been
// passed themselves, and back here.
func TestExchangeAnEndMovesAround(t *testing.T) {
	eachMove(t, all, func(t *testing.T, a meeting) {
		p, q := meet(t, a, "obey"), meetAnother(t, a)
		x, y := pair(t, a.transport, a.network)
		near, far := pair(t, a.transport, a.network)
		p.moves(t, x, near)
		q.moves(t, y)
		mustWriteMsg(t, far, "early", testenv.TempFile(t, "words"))
		p.order(t, "passed", "pass 0 1")
		q.order(t, "taken", "get 0")
		q.order(t, "early +words", "read 1")
		q.goOnApart(t, 1, far)
		mustWriteMsg(t, far, "again", testenv.TempFile(t, "more words"))
		q.order(t, "passed", "pass 0 1")
		p.order(t, "taken", "get 0")
		p.order(t, "again +more words", "read 2")
		p.goOnApart(t, 2, far)
		p.says(t, "give 2")
		near = p.receive(t, "here", 1)[0]
		expectAlive(t, near, far)
		expectAlive(t, far, near)
		p.finish(t)
		q.finish(t)
	})
}

// Both ends move in one message, with what is in their queues.
func TestExchangeBothEndsMoveAtOnce(t *testing.T) {
	eachMove(t, all, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		for i := range 2 {
			x, y := pair(t, a.transport, a.network)
			mustWriteMsg(t, x, "a", testenv.TempFile(t, "one"))
			mustWriteMsg(t, y, "b", testenv.TempFile(t, "two"))
			if i == 1 {
				x, y = y, x
			}
			p.moves(t, x, y)
			expectGone(t, x)
			expectGone(t, y)
			p.says(t, fmt.Sprintf("give %d %d", 2*i, 2*i+1))
			ends := p.receive(t, "here", 2)
			if i == 1 {
				ends[0], ends[1] = ends[1], ends[0]
			}
			expectMsg(t, ends[0], "b +two")
			expectMsg(t, ends[1], "a +one")
			expectAlive(t, ends[0], ends[1])
		}
		p.finish(t)
	})
}

// The two ends are sent at the same moment by two processes, to a third one, which is this.
func TestExchangeTwoProcessesSendTheTwoEndsAtOnce(t *testing.T) {
	eachMove(t, all, func(t *testing.T, a meeting) {
		p, q := meet(t, a, "obey"), meetAnother(t, a)
		x, y := pair(t, a.transport, a.network)
		for i := range 5 {
			p.moves(t, x)
			q.moves(t, y)
			p.order(t, "written", "write %d to-y one", i)
			q.order(t, "written", "write %d to-x two", i)
			p.says(t, fmt.Sprintf("give %d", i))
			q.says(t, fmt.Sprintf("give %d", i))
			x, y = p.receive(t, "here", 1)[0], q.receive(t, "here", 1)[0]
			expectMsg(t, x, "to-x +two")
			expectMsg(t, y, "to-y +one")
			expectAlive(t, x, y)
		}
		p.finish(t)
		q.finish(t)
	})
}

// Nothing is left in either process of ends that have come and gone: the child looks for itself
// when it ends.
func TestExchangeMovesLeaveNothingBehind(t *testing.T) {
	eachMove(t, all, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		near, far := pair(t, a.transport, a.network)
		var before resources
		for i := range moves / 2 {
			if i == 1 { // from here on everything that is opened once is open, and near knows the process at the other end
				expectAlive(t, near, far)
				var err error
				if before, err = countResources(); err != nil {
					t.Fatal(err)
				}
			}
			p.moves(t, near)
			p.order(t, "written", "write %d on-its-way file", i)
			p.says(t, fmt.Sprintf("give %d", i))
			near = p.receive(t, "here", 1)[0]
			expectMsg(t, far, "on-its-way +file")
		}
		if err := before.settle(); err != nil {
			t.Error(err)
		}
		expectAlive(t, near, far)
		p.finish(t)
	})
}

// P3: once WriteMsg has returned, the end arrives, whatever becomes of its sender.
func TestExchangeAnEndSurvivesItsSender(t *testing.T) {
	eachMove(t, all, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		near, far := pair(t, a.transport, a.network)
		mustWriteMsg(t, far, "early", testenv.TempFile(t, "words"))
		p.moves(t, near)
		p.says(t, "die 0")
		p.awaitLine(t, "sent")
		p.kill()
		near = p.receive(t, "legacy", 1)[0]
		expectMsg(t, near, "early +words")
		expectAlive(t, near, far)
	})
}

// The end of a process that has it is the end of an end, also if nobody has looked at it there.
func TestExchangeAnEndDiesWithItsReceiver(t *testing.T) {
	eachMove(t, listened, func(t *testing.T, a meeting) {
		for _, taken := range []bool{true, false} {
			a.path += "x"
			p := meet(t, a, "obey")
			near, far := pair(t, a.transport, a.network)
			if taken {
				p.moves(t, near)
			} else {
				p.order(t, "taken", "take")
				p.says(t, "die")
				p.awaitLine(t, "sent") // and reads no more
				mustWriteMsg(t, p.c, "x", near)
			}
			p.kill()
			if n, err := far.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("taken %v: Read = %d, %v; want the end", taken, n, err)
			}
			expectGone(t, near)
		}
	})
}

// A deadline that comes while the receiver does nothing: the message is on its way, and so is the
// end.
func TestExchangeADeadlineDoesNotLoseAnEnd(t *testing.T) {
	eachMove(t, all, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		near, far := pair(t, a.transport, a.network)
		mustWriteMsg(t, far, "early", testenv.TempFile(t, "words"))
		p.order(t, "taken", "take") // a datagram socket that is not connected has to dial first
		if err := testenv.Suspend(p.cmd.Process); err != nil {
			t.Fatal(err)
		}
		p.c.SetWriteDeadline(time.Now().Add(10 * aMoment)) // enough to write it, however busy the machine is
		n, err := p.c.WriteMsgTo([]byte("take\n"), p.to, near)
		if n != 5 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("WriteMsg = %d, %v; want 5 and the deadline", n, err)
		}
		expectGone(t, near)
		p.c.SetWriteDeadline(time.Now().Add(patience))
		if err := testenv.Resume(p.cmd.Process); err != nil {
			t.Fatal(err)
		}
		p.expect(t, "taken")
		p.order(t, "early +words", "read 0")
		p.goOnApart(t, 0, far)
		p.finish(t)
	})
}
