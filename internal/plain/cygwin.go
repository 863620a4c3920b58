package plain

import (
	"strconv"
	"strings"
)

// unknownID is what Cygwin has for an account of which it knows nothing.
const unknownID = ^uint32(0)

// cygwinID computes the number that Cygwin has for an account by default, on a machine with the SID
// machine. (Mapping Windows accounts to POSIX accounts, in Cygwin's User's Guide. An installation
// may have other rules.)
func cygwinID(sid, machine string) uint32 {
	end := max(strings.LastIndexByte(sid, '-'), 0)
	prefix, last := sid[:end], strings.TrimPrefix(sid[end:], "-")
	rid, err := strconv.ParseUint(last, 10, 32)
	switch {
	case err != nil:
		return unknownID
	case prefix == "S-1-5", prefix == "S-1-5-32": // SYSTEM and the like, Administrators and the like
		return uint32(rid)
	case prefix == machine:
		return 0x30000 + uint32(rid)
	case strings.HasPrefix(prefix, "S-1-5-21-"): // of the machine's domain
		return 0x100000 + uint32(rid)
	}
	return unknownID
}
