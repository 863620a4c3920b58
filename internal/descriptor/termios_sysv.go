//go:build aix || linux || solaris

package descriptor

import "golang.org/x/sys/unix"

const ioctlGetTermios = unix.TCGETS
