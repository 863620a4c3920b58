//go:build !linux && !windows

package longpath

// ToDial returns name: there is no way to one that is too long.
func ToDial(name string) (short string, release func(), err error) { return direct(name) }

// ToBind returns name: there is no way to one that is too long.
func ToBind(name string) (short string, release func(), err error) { return direct(name) }

// Longest returns 0: no path is longer than Max.
func Longest(string) int { return 0 }

// IsWay is true of no name.
func IsWay(string) bool { return false }
