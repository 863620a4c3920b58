//go:build linux || windows

package faults

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"afunix"
)

// The sender or the receiver is killed. The other process lives, and must be told the truth: each
// message whose sending had succeeded is received, with all of its descriptors; the one that was
// being sent is, or is not, or its descriptors are missing and the receiver is told so; of a send
// that failed nothing is. Then comes the end, and nothing is left.

// A variant is what the victim does.
type variant struct {
	network string
	dials   bool
	flow    flow
}

func (v variant) String() string {
	if v.dials {
		return fmt.Sprintf("%s, the victim dials and %s", v.network, v.flow)
	}
	return fmt.Sprintf("%s, the victim listens and %s", v.network, v.flow)
}

var variants = []variant{
	{"unix", true, sends}, {"unix", true, receives}, {"unix", false, sends}, {"unix", false, receives},
	{"unixpacket", true, sends}, {"unixpacket", true, receives}, {"unixpacket", false, sends}, {"unixpacket", false, receives},
	{"unixgram", true, sends}, {"unixgram", false, receives},
}

// stormy are those in which the victim is killed at some moment, with as much going on as there can
// be.
var stormy = []variant{{"unix", true, both}, {"unix", false, both}, {"unixpacket", true, both}, {"unixpacket", false, both},
	{"unixgram", true, sends}, {"unixgram", false, receives}}

// choose returns the variants of this round: all, or some at random.
func (r *round) choose(all []variant) []variant {
	if r.variants == 0 || r.variants > len(all) {
		return all
	}
	var some []variant
	for _, i := range r.random.Perm(len(all))[:r.variants] {
		some = append(some, all[i])
	}
	return some
}

// A killing is one victim's.
type killing struct {
	*round
	errand
	variant
	allowed []error // what the survivor may be told instead of a connection: nothing, if the victim is not to be killed
}

func (r *round) newKilling(v variant, messages int) *killing {
	return &killing{round: r, variant: v, allowed: []error{syscall.ECONNREFUSED, syscall.ECONNRESET}, errand: errand{
		Part: "victim", Transport: r.transport, Network: v.network, Path: r.path(), Dials: v.dials, Flow: v.flow, Messages: messages,
	}}
}

// killAtSteps first lets each victim finish, to learn how many steps there are, and then kills it
// at some of them, which are spread over all at random.
func killAtSteps(r *round) error {
	for _, v := range r.choose(variants) {
		if !canStep(v) {
			continue
		}
		whole, err := r.killAt(v, 0)
		if err != nil {
			return fmt.Errorf("%v, nobody is killed: %w", v, err)
		}
		name := fmt.Sprintf("%v: %v", r.transport, v)
		r.tally.steps[name] = max(whole, r.tally.steps[name])
		for i := range r.kills {
			at := 1 + (i*whole+r.random.IntN(whole))/r.kills
			if _, err := r.killAt(v, at); err != nil {
				return fmt.Errorf("%v, killed at step %d of some %d: %w", v, at, whole, err)
			}
		}
	}
	return nil
}

// killAt runs a victim that is killed at a step, if it comes so far. It returns how many steps
// there were.
func (r *round) killAt(v variant, at int) (steps int, err error) {
	const messages = 4
	k := r.newKilling(v, messages)
	k.Stepped, k.Step = true, at
	t := &trace{at: at}
	rep, err := k.run(func() (*worker, error) { return k.startBy(t.by) }, func() bool { return t.killed }, nil)
	if err != nil {
		return 0, err
	}
	return t.steps + rep.steps, k.nothingIsLeft(rep, t.killed)
}

// killAtMoments kills victims that send and receive a lot, at a moment between the first message
// and the end.
func killAtMoments(r *round) error {
	for _, v := range r.choose(stormy) {
		begun := time.Now()
		if err := r.killAfter(v, -1); err != nil {
			return fmt.Errorf("%v, nobody is killed: %w", v, err)
		}
		whole := time.Since(begun)
		for range r.kills {
			after := time.Duration(r.random.Int64N(int64(whole)))
			if err := r.killAfter(v, after); err != nil {
				return fmt.Errorf("%v, killed after %v: %w", v, after, err)
			}
		}
	}
	return nil
}

// killAfter kills a victim a while after it was connected; not at all, if that is negative.
func (r *round) killAfter(v variant, after time.Duration) error {
	k := r.newKilling(v, manyMessages)
	var w *worker
	start := func() (_ *worker, err error) { w, err = k.start(); return w, err }
	connected := func() {
		if after >= 0 {
			time.AfterFunc(after, w.kill)
		}
	}
	rep, err := k.run(start, func() bool { return after >= 0 }, connected)
	if err != nil {
		return err
	}
	return k.nothingIsLeft(rep, after >= 0)
}

// run lets a victim and this process meet, and compares what they say afterwards.
func (k *killing) run(start func() (*worker, error), killed func() bool, connected func()) (report, error) {
	if connected == nil {
		connected = func() {}
	}
	var a *account
	var lines []string
	var err error
	if k.Dials {
		a, lines, err = k.beDialled(start, connected)
	} else {
		a, lines, err = k.dial(start, connected)
	}
	if err != nil {
		return report{}, err
	}
	rep, err := readReport(lines)
	if err != nil {
		return report{}, err
	}
	if killed() {
		k.tally.kills++
	}
	k.tally.descriptors += a.descriptors
	k.tally.bytes += int64(labelSize * (a.sent + a.received))
	return rep, k.compare(a, rep, killed())
}

// beDialled listens, and serves the victim. A client of our own comes after it, and shows that the
// listener goes on.
func (k *killing) beDialled(start func() (*worker, error), connected func()) (a *account, lines []string, err error) {
	l, err := listenTo(k.errand)
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	w, err := start()
	if err != nil {
		return nil, nil, err
	}
	defer w.discard()
	a = new(account)
	served := make(chan error, 1)
	go func() {
		if c, ok := l.(*afunix.Conn); ok {
			connected()
			served <- k.readDatagrams(c, a)
			return
		}
		served <- k.serve(l.(*afunix.Listener), a, connected)
	}()
	if lines, err = w.rest(); err != nil {
		return nil, nil, err
	}
	c, err := dialFrom(k.errand, "")
	if err != nil {
		return nil, nil, fmt.Errorf("after the victim's end: %w", err)
	}
	defer c.Close()
	if err := k.goods.send(c, lastSender, 0, 1); err != nil {
		return nil, nil, fmt.Errorf("after the victim's end: %w", err)
	}
	return a, lines, within("the survivor", func() error { return <-served })
}

// lastSender is this process, behind the victim.
const lastSender = 1

// serve serves everybody who connects up to this process itself.
func (k *killing) serve(l *afunix.Listener, a *account, connected func()) error {
	if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	for {
		c, err := l.AcceptConn()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		peer, err := c.PeerCredentials()
		if err != nil {
			return errors.Join(err, c.Close())
		}
		if peer.PID == os.Getpid() {
			l, err := receive(c)
			if err == nil && l.sender != lastSender {
				err = fmt.Errorf("received %+v from this process", l)
			}
			return errors.Join(err, c.Close())
		}
		connected()
		if err := k.survive(c, a); err != nil {
			return err
		}
	}
}

// dial dials the victim, once that listens.
func (k *killing) dial(start func() (*worker, error), connected func()) (a *account, lines []string, err error) {
	w, err := start()
	if err != nil {
		return nil, nil, err
	}
	defer w.discard()
	a = new(account)
	err = w.await(listening)
	if err == nil {
		err = within("the survivor", func() error { return k.dialVictim(a, connected) })
	} else if errors.Is(err, io.EOF) { // it has ended before; whether it may have, its report tells
		err = nil
	}
	if err != nil {
		return nil, nil, err
	}
	lines, err = w.rest()
	return a, lines, err
}

func (k *killing) dialVictim(a *account, connected func()) error {
	c, err := dialFrom(k.errand, "")
	if err != nil {
		a.refused = true
		connected()
		return among(err, k.allowed...)
	}
	connected()
	if k.Network == "unixgram" {
		return k.sendDatagrams(c, a)
	}
	return k.survive(c, a)
}

// compare holds the survivor's account against the victim's report.
func (k *killing) compare(a *account, rep report, killed bool) error {
	expected := func(f flow) int {
		if k.Flow == f || k.Flow == both {
			return k.Messages
		}
		return 0
	}
	switch {
	case !killed && (rep.sent != expected(sends) || rep.got != expected(receives) || a.received != rep.sent || a.sent != rep.got || a.reset || len(a.bare) > 0):
		return fmt.Errorf("the survivor %+v, the victim %+v; want all of %d messages", *a, rep, k.Messages)
	case a.received < rep.sent:
		return fmt.Errorf("the survivor received %d messages of %d whose sending had succeeded", a.received, rep.sent)
	case a.received > rep.sent+1:
		return fmt.Errorf("the survivor received %d messages, though the victim had sent %d", a.received, rep.sent)
	case len(a.bare) > 0 && a.bare[0] < rep.sent:
		return fmt.Errorf("messages %d came without their descriptors, though the sending of %d had succeeded", a.bare, rep.sent)
	case rep.got > a.sent:
		return fmt.Errorf("the victim received %d messages, though %d had been sent, and then: %v",
			rep.got, a.sent, a.sendError)
	}
	k.tally.bare += len(a.bare)
	return nil
}

// nothingIsLeft compares the counts, except for what a sender that died had pushed here, and not
// told us of: nobody knows of that.
func (k *killing) nothingIsLeft(rep report, killed bool) error {
	if killed && pushes(k.variant) {
		now, err := count()
		if err != nil {
			return err
		}
		if more := now.descriptors - k.before.descriptors - k.tally.orphans; more > 0 && more <= filesBeside(rep.sent)+1 {
			k.tally.orphans += more
		}
	}
	return k.settle()
}
