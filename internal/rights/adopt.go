package rights

import (
	"errors"
	"fmt"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/pipe"
	"afunix/internal/wire"
)

// ErrRecord is what every error wraps that a record of the peer's is to blame for.
var ErrRecord = errors.New("bad record")

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRecord, fmt.Sprintf(format, args...))
}

// An Opener makes an end of kind k of its descriptor v, 0 if it has none. It owns v, also if it
// fails.
type Opener func(v uintptr, k descriptor.Kind) (descriptor.End, error)

// Adopt makes the descriptors of a message ours: n records in block, which package wire has
// checked, from a peer from which descriptors come by route. All or none: on an error, those that
// were adopted have been closed. The errors are
//   - descriptor.ErrRightsTruncated: this process has no room for them;
//   - syscall.ESRCH: the peer has gone, and its descriptors with it;
//   - one that wraps ErrRecord: the peer must not be listened to any longer.
//
// Ends are made by open, in the order of their records.
func Adopt(t descriptor.Table, peer pipe.Process, route Route, block []byte, n int,
	open Opener) (*descriptor.Set, error) {
	set := descriptor.NewSet(t, n)
	for i := range n {
		r, rest, err := wire.ParseRecord(block)
		if err == nil {
			err = adopt(set, t, peer, route, r, open)
		}
		if err != nil {
			set.Discard()
			Discard(t, peer, route, rest, n-i-1)
			return nil, explain(i, err)
		}
		block = rest
	}
	return set, nil
}

// adopt makes one descriptor ours.
func adopt(set *descriptor.Set, t descriptor.Table, peer pipe.Process, route Route, r wire.Record, open Opener) error {
	if r.Owner == wire.End {
		return adoptEnd(set, t, peer, route, r, open)
	}
	want := descriptor.Kind(r.Kind)
	v, err := take(t, peer, route, r, want)
	if err == nil {
		set.Add(v, want)
	}
	return err
}

// adoptEnd makes an end of the pipe transport ours.
func adoptEnd(set *descriptor.Set, t descriptor.Table, peer pipe.Process, route Route,
	r wire.Record, open Opener) error {
	kind, err := endKind(r)
	if err != nil {
		return err
	}
	var v uintptr
	if r.Value != 0 {
		if v, err = take(t, peer, route, r, descriptor.EndKind(kind)); err != nil {
			return err
		}
	}
	e, err := open(v, kind)
	if err == nil {
		set.AddEnd(e, kind)
	}
	return err
}

// AdoptPart makes the descriptor of a record of owner End ours, of an end that is made of several.
// Errors are those of Adopt.
func AdoptPart(t descriptor.Table, peer pipe.Process, route Route, r wire.Record) (uintptr, error) {
	kind, err := endKind(r)
	if err != nil {
		return 0, explain(0, err)
	}
	v, err := take(t, peer, route, r, descriptor.EndKind(kind))
	if err != nil {
		return 0, explain(0, err)
	}
	return v, nil
}

// endKind returns the kind of end that a record speaks of.
func endKind(r wire.Record) (descriptor.Kind, error) {
	k := descriptor.Kind(r.Kind)
	if k != descriptor.Unix && k != descriptor.UnixListener {
		return 0, bad("an end of kind %d", r.Kind)
	}
	return k, nil
}

// take makes the descriptor of a record ours, which must be of kind want.
func take(t descriptor.Table, peer pipe.Process, route Route, r wire.Record, want descriptor.Kind) (uintptr, error) {
	if !want.Valid() {
		return 0, bad("kind %d", r.Kind)
	}
	v, err := obtain(peer, route, r)
	if err != nil {
		return 0, err
	}
	fits, err := t.Matches(v, want)
	if fits {
		return v, nil
	}
	switch {
	case r.Owner == wire.Exported:
		descriptor.Discard(t, v, want)
	case r.Owner == wire.Sender || r.Owner == wire.End && route.Way == Pull:
		descriptor.Discard(t, v, descriptor.Other) // whatever it is, a socket would have been exported
	default: // it may be a descriptor of our own, and the peer is lying
	}
	if err == nil {
		err = bad("something else than kind %d", want)
	}
	return 0, err
}

// obtain returns a descriptor in our table.
func obtain(peer pipe.Process, route Route, r wire.Record) (uintptr, error) {
	socket := r.Owner != wire.End && descriptor.Kind(r.Kind).Socket() && peer.ExportsSockets()
	switch {
	case socket != (r.Owner == wire.Exported):
		return 0, bad("owner %d of kind %d", r.Owner, r.Kind)
	case (r.Owner == wire.Sender || r.Owner == wire.End) && route.Way == Pull:
		return peer.Pull(r.Value)
	case (r.Owner == wire.Receiver || r.Owner == wire.End) && route.Way == Push:
		return uintptr(r.Value), nil
	case r.Owner == wire.Exported && route.Exports:
		return peer.ImportSocket(r.Extra)
	}
	return 0, bad("owner %d, which was not agreed", r.Owner)
}

// Discard closes what a message brought that nobody will read. Only what has been put into our
// table needs it.
func Discard(t descriptor.Table, peer pipe.Process, route Route, block []byte, n int) {
	discard(t, peer, route, block, n, false)
}

// DiscardExported is Discard for what its sender takes back, but for what was exported, which he
// cannot.
func DiscardExported(t descriptor.Table, peer pipe.Process, route Route, block []byte, n int) {
	discard(t, peer, route, block, n, true)
}

func discard(t descriptor.Table, peer pipe.Process, route Route, block []byte, n int, exported bool) {
	for range n {
		r, rest, err := wire.ParseRecord(block)
		if err != nil {
			return
		}
		block = rest
		kind := descriptor.Kind(r.Kind)
		if r.Owner == wire.End {
			kind = descriptor.EndKind(kind)
		}
		pulled := r.Owner == wire.Sender || r.Owner == wire.End && (route.Way == Pull || r.Value == 0)
		if pulled || !kind.Valid() || exported && r.Owner != wire.Exported {
			continue
		}
		if v, err := obtain(peer, route, r); err == nil {
			fits, _ := t.Matches(v, kind)
			if fits || r.Owner == wire.Exported { // else it is not what was put there
				descriptor.Discard(t, v, kind)
			}
		}
	}
}

// explain says what the failure of record i means.
func explain(i int, err error) error {
	switch {
	case errors.Is(err, ErrRecord):
		return fmt.Errorf("record %d: %w", i, err)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOMEM):
		return descriptor.ErrRightsTruncated
	case errors.Is(err, syscall.ESRCH):
		return syscall.ESRCH
	}
	return fmt.Errorf("%w %d: %w", ErrRecord, i, err)
}
