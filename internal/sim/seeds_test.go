package sim

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

var (
	seed  = flag.Int64("seed", -1, "run this seed only, and show its trace")
	seeds = flag.Int("seeds", 2000, "how many seeds to run")
	from  = flag.Uint64("from", 0, "the first of them")
	long  = flag.Bool("long", false, "show how far it has come")
)

// TestSeeds runs random worlds.
func TestSeeds(t *testing.T) {
	if *seed >= 0 {
		alwaysShow = true
		randomWorld(t, uint64(*seed))
		return
	}
	begun := time.Now()
	for i := range uint64(*seeds / stride) {
		randomWorld(t, *from+i)
		if t.Failed() {
			return
		}
		if *long && i%1000 == 999 {
			n := i + 1
			per := time.Since(begun) / time.Duration(n)
			left := per * time.Duration(uint64(*seeds)-n)
			fmt.Fprintf(os.Stderr, "\r%d of %d seeds, %v each, %v left   ", n, *seeds, per.Round(time.Microsecond), left.Round(time.Second))
		}
	}
}

func randomWorld(t *testing.T, seed uint64) *World {
	return run(t, fmt.Sprintf("seed %d; again: make sim SEED=%d", seed, seed), seed, true, func(w *World) { w.Random(seed, false) })
}

// kept are seeds that have failed once, and what they found in the engine.
var kept = []struct {
	seed  uint64
	found string
}{
	{164, "an end was closed that would have waited in its own queue, and stayed for a moment before that: what went with it was read"},
	{560, "an end was being moved, and a Read that did not know that took what was in its queue: it was read twice"},
	{9066, "a deadline passed in the middle of a message, and then the connection ended: nobody told its sender"},
	{21663, "an end was closed while it moved, and what came after that was discarded, and yet moved: the bytes without their descriptors"},
	{26299, "a connection that was being ended was closed, and two looked at once at what its peer had sent"},
	{30191, "whoever moved an end read its pipe, and was not told that a message had been taken back there, for which he waited"},
	{30529, "an end broke while it moved, and was closed before it stayed: nobody let go of what it had sent, and the sender waited"},
	{12452, "an end was closed while the other one was about to live, and was not read any more: it heard that late, and closed behind its last look, without a goodbye"},
	{54060, "the same, with a message of four descriptors"},
	{45484, "luggage was written, its message given up, and then the peer said goodbye: either side left it to the other"},
	{72372, "an end was closed when luggage was about to be written, and did not read the goodbye any more that gave it back"},
	{86767, "no fault of the engine's: sockets were exported with a message that was given up as its end moved, and counted as the next message's"},
	{82565, "no fault of the engine's: a message that failed had the same bytes as one of the next owner's"},
	{911135, "a datagram had come in part when its socket was closed: its descriptors were discarded, and its sender took them back, too"},
	{61264, "an end had moved over itself, and took what its peer had said to the former owner for an answer"},
	{99394, "a message waited for an end that went with it, and went by the route to the former owner of the peer's end"},
	{3051648, "the peer said goodbye, and its answer to a hello came to the next owner, who had said none"},
	{98340, "sockets were exported with luggage whose message did not come, and closed before the peer had imported them to get rid of them"},
	{4031287, "a connection was ended, since a socket could not be taken back, when a part of a message had been acknowledged"},
	{4046984, "an end left word that it moved, and let go of what was unacknowledged: that hung up the pipe, which was the next owner's"},
	{4136872, "no fault of the engine's: a message that failed had the same bytes as one of another program's"},
	{4397306, "an end was closed, and acknowledged a message that it had not looked at with a Move that came before the goodbye was said"},
	{4043380, "no fault of the engine's: a Move was acknowledged behind a goodbye, and so was what had been left to its sender"},
	{4031203, "no fault of the engine's: an end had moved, and its former owner was closing what had been in the queue"},
	{4009339, "no fault of the engine's: a datagram of which the outcome was unknown came after one that was sent later"},
	{5044856, "no fault: a listener moved over a connection that was full, of which the other end was in the queue of a client of that listener"},
	{6090952, "no fault of the engine's: a record of one byte that failed had the same byte as the next one"},
	{3109, "an end was to move over itself, stayed, and had not said so when its peer was to move over itself: each waited for the other"},
}

// coarse are those that have failed when not every operation was a gate in a world where ends move.
var coarse = []struct {
	seed  uint64
	found string
}{
	{506, "the new owner of an end that came over itself took an acknowledgement that its former owner had died before reading for a lie"},
	{605, "luggage was in the pipe, and its message waited for a peer whose end was about to move over this connection, and which waited for it"},
	{2393, "a hello said more than the credit that was paid after it"},
	{3950, "who was closed while the other end was about to come over the connection could not say goodbye"},
	{15266, "luggage whose message did not come could not be discarded, since its sender had said hello again"},
	{6768, "an end in the queue of one that came over itself was read before that was let go, and never began to live"},
	{3959, "an end that moved over itself did not wait for credit, and would not have got it"},
	{25079, "an end that stayed, and was to move again before its hello was answered, took the first of two answers for both"},
	{27898, "an acknowledgement got out when the pipe had room again, its sender closed, and what had been pulled was taken for something else"},
	{901140, "luggage was written behind the last look of an end that was closed, which was to discard it"},
	{302325, "the same, and its message went after it"},
	{6113, "an end was closed for which there was no room to say goodbye: nobody discarded what had come since"},
	{802033, "a connection was ended, since a socket could not be taken back, while descriptors were being adopted"},
	{301695, "an end that moved waited for room, and whoever was to make room waited for its owner to read it"},
	{113812, "an end moved of which the connection had been ended meanwhile, and took in what its peer sent"},
	{20671, "what an end had parked that broke while it moved was let go of twice"},
	{111200, "no fault: two listeners each moved over a connection that the other one was to accept, and that was full"},
	{901550, "a Move that came to nothing was acknowledged when a message was unloaded, after what came later had been"},
}

// TestKept runs them.
func TestKept(t *testing.T) {
	for _, k := range kept {
		t.Run(k.found, func(t *testing.T) { randomWorld(t, k.seed) })
	}
	for _, k := range coarse {
		t.Run(k.found, func(t *testing.T) {
			run(t, fmt.Sprintf("coarse seed %d", k.seed), k.seed, true, func(w *World) { w.Random(k.seed, true) })
		})
	}
}

// sameEvent compares what events say, which has addresses in it.
func sameEvent(a, b event) bool { return a.String() == b.String() }

// TestReplay runs worlds twice. What the scheduler of Go decides between two gates is not the
// seed's, so that now and then two runs differ; but one command would not show most failures again
// if many did.
func TestReplay(t *testing.T) {
	if stride > 1 {
		t.Skip("under the race detector the scheduler does what it likes")
	}
	const worlds = 100
	same := 0
	for seed := range uint64(worlds) {
		first := slices.Clone(randomWorld(t, seed).trace)
		if slices.EqualFunc(first, randomWorld(t, seed).trace, sameEvent) {
			same++
		}
	}
	t.Logf("%d of %d worlds went the same way twice", same, worlds)
	if same < worlds*3/4 {
		t.Errorf("only %d of %d worlds went the same way twice", same, worlds)
	}
}
