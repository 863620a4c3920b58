//go:build race || windows

package sim

// stride is how far apart the steps are before which faults happen: see stride_whole_test.go. On
// Windows it is the same code, of which a part shows that it works there.
const stride = 41
