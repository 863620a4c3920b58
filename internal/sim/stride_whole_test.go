//go:build !race && !windows

package sim

// stride is how far apart the steps are before which faults happen. Under the race detector, which
// takes ten times as long, not all of them are tried, nor all seeds.
const stride = 1
