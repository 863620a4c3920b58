package longpath

// ToDial returns name: to Windows' own AF_UNIX there is no way by a longer one.
func ToDial(name string) (short string, release func(), err error) { return direct(name) }

// ToBind returns name, as ToDial does.
func ToBind(name string) (short string, release func(), err error) { return direct(name) }

// Longest returns how long a socket's path may be for the pipe transport, whose socket files are
// files. (The system takes up to 32,767 letters. A listener that moves takes its path along, in a
// state of 4 KiB.)
func Longest(string) int { return 3 << 10 }

// IsWay is true of no name.
func IsWay(string) bool { return false }
