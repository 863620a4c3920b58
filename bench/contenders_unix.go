//go:build unix && !linux

package bench

import "afunix"

// Contenders are all that this system has, in the order in which they are run and shown.
func Contenders() []Contender {
	return []Contender{
		netContender,
		afunixContender(Kernel, "afunix, kernel transport", afunix.KernelTransport),
	}
}
