//go:build !unix && !windows

package descriptor

import "errors"

// On this system no descriptor is passed, and none has to be known.

func (system) Kind(uintptr) (Kind, error)          { return Other, errors.ErrUnsupported }
func (system) Kinds([]Asked) (int, error)          { return 0, errors.ErrUnsupported }
func (system) Matches(uintptr, Kind) (bool, error) { return false, errors.ErrUnsupported }
func (system) Dup(uintptr, Kind) (uintptr, error)  { return 0, errors.ErrUnsupported }
func (system) Close(uintptr, Kind) error           { return errors.ErrUnsupported }

// Sendable reports that no descriptor can be passed to another process.
func Sendable(uintptr, Kind) error { return ErrNotSendable }

// EndKind is what an end of the pipe transport of kind k would be in the descriptor table.
func EndKind(k Kind) Kind { return k }

// lingers reports whether closing a descriptor may wait for somebody.
func lingers(Kind) bool { return false }
