// Package sockfile removes the socket files of listeners, and no other file. A path that leads to
// another file by now is left alone, and so is a path that never led to the listener's file. The
// process that hands a listener on names its path, and must not make this process remove a file
// that the other process could not remove.
//
// A socket file whose process has died is stale: nobody has its socket. [OverStale] removes such a
// file and no other, and lets one listener of many take its place.
package sockfile

// hasFile reports whether a socket that is bound to the name has a file.
func hasFile(name string) bool { return name != "" && name[0] != '@' && name[0] != 0 }
