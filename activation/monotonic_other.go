//go:build !linux

package activation

import "time"

// monotonic is not told: there is no systemd here.
func monotonic() (now time.Duration, ok bool) { return 0, false }
