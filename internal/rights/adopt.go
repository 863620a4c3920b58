package rights

import (
	"errors"
	"fmt"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/wire"
)

// ErrRecord is what every error wraps that a record of the peer's is to blame for.
var ErrRecord = errors.New("bad record")

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRecord, fmt.Sprintf(format, args...))
}

// Adopt makes the descriptors of a message ours: n records in block, which package wire has checked, from a peer from which
// descriptors come by route. All or none: on an error, those that were adopted have been closed. The errors are
//   - descriptor.ErrRightsTruncated: this process has no room for them;
//   - syscall.ESRCH: the peer has gone, and its descriptors with it;
//   - one that wraps ErrRecord: the peer must not be listened to any longer.
func Adopt(t descriptor.Table, peer Process, route Route, block []byte, n int) (*descriptor.Set, error) {
	set := descriptor.NewSet(t, n)
	for i := range n {
		r, rest, err := wire.ParseRecord(block)
		if err == nil {
			err = adopt(set, t, peer, route, r)
		}
		if err != nil {
			set.Close()
			Discard(t, peer, route, rest, n-i-1)
			return nil, explain(i, err)
		}
		block = rest
	}
	return set, nil
}

// adopt makes one descriptor ours.
func adopt(set *descriptor.Set, t descriptor.Table, peer Process, route Route, r wire.Record) error {
	want := descriptor.Kind(r.Kind)
	if !want.Valid() {
		return bad("kind %d", r.Kind)
	}
	v, err := obtain(peer, route, r)
	if err != nil {
		return err
	}
	fits, err := t.Matches(v, want)
	if fits {
		set.Add(v, want)
		return nil
	}
	switch r.Owner {
	case wire.Sender:
		t.Close(v, descriptor.Other) // whatever it is, a socket would have been exported
	case wire.Exported:
		t.Close(v, want)
	case wire.Receiver: // it may be a descriptor of our own, and the peer is lying
	}
	if err == nil {
		err = bad("something else than kind %d", want)
	}
	return err
}

// obtain returns a descriptor in our table.
func obtain(peer Process, route Route, r wire.Record) (uintptr, error) {
	socket := descriptor.Kind(r.Kind).Socket() && peer.ExportsSockets()
	switch {
	case socket != (r.Owner == wire.Exported):
		return 0, bad("owner %d of kind %d", r.Owner, r.Kind)
	case r.Owner == wire.Sender && route.Way == Pull:
		return peer.Pull(r.Value)
	case r.Owner == wire.Receiver && route.Way == Push:
		return uintptr(r.Value), nil
	case r.Owner == wire.Exported && route.Exports:
		return peer.ImportSocket(r.Extra)
	}
	return 0, bad("owner %d, which was not agreed", r.Owner)
}

// Discard closes what a message brought that nobody will read. Only what has been put into our table needs it.
func Discard(t descriptor.Table, peer Process, route Route, block []byte, n int) {
	for range n {
		r, rest, err := wire.ParseRecord(block)
		if err != nil {
			return
		}
		block = rest
		if r.Owner == wire.Sender || !descriptor.Kind(r.Kind).Valid() {
			continue
		}
		if v, err := obtain(peer, route, r); err == nil {
			if fits, _ := t.Matches(v, descriptor.Kind(r.Kind)); fits { // else it is not what was put there
				t.Close(v, descriptor.Kind(r.Kind))
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
