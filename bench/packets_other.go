//go:build !linux && !windows

package bench

import "errors"

// CountPackets fails: there is no pipe transport on this system.
func CountPackets(Workload, int) (sender, receiver Tally, err error) {
	return Tally{}, Tally{}, errors.ErrUnsupported
}
