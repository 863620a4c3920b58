//go:build unix

package kernel

import (
	"unsafe"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/transport"

	"golang.org/x/sys/unix"
)

// A controlBlock has room for a full set of descriptors (CMSG_SPACE(4 × 253) = 1,032 bytes), for
// the sender's credentials, and for whatever else the owner of the socket may have switched on
// behind our back (SO_PASSSEC, SO_TIMESTAMP, …). It is an array of words because headers must be
// aligned.
type controlBlock [2048 / 8]uint64

func (b *controlBlock) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(b)), len(b)*8)
}

const sizeofInt32 = 4 // of a descriptor in a control block

// putRights writes a control block for files into b and returns its length: 0 for none.
func putRights(b []byte, files []transport.File) int {
	if len(files) == 0 {
		return 0
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level = unix.SOL_SOCKET
	h.Type = unix.SCM_RIGHTS
	h.SetLen(unix.CmsgLen(sizeofInt32 * len(files)))
	fds := descriptors(b[unix.CmsgLen(0):unix.CmsgLen(sizeofInt32*len(files))])
	for i, f := range files {
		fds[i] = int32(f.Value)
	}
	return unix.CmsgSpace(sizeofInt32 * len(files))
}

// nextControl splits the first header and its body off a control block that the kernel wrote; h is
// nil at the end.
func nextControl(b []byte) (h *unix.Cmsghdr, body, rest []byte) {
	if len(b) < unix.CmsgLen(0) {
		return nil, nil, nil
	}
	h = (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	size := int(h.Len)
	if size < unix.CmsgLen(0) || size > len(b) {
		return nil, nil, nil
	}
	body = b[unix.CmsgLen(0):size]
	return h, body, b[min(unix.CmsgSpace(len(body)), len(b)):]
}

// parseControl takes over the descriptors in a control block that the kernel wrote; nil if there
// are none. It allocates nothing but what it returns.
func parseControl(b []byte) (rights *descriptor.Set, creds *cred.Credentials) {
	for h, body, rest := nextControl(b); h != nil; h, body, rest = nextControl(rest) {
		switch {
		case h.Level != unix.SOL_SOCKET:
		case h.Type == unix.SCM_RIGHTS:
			rights = addRights(rights, body)
		default:
			if c := parseCredentials(h.Type, body); c != nil {
				creds = c
			}
			closeUnasked(h.Type, body)
		}
	}
	return rights, creds
}

// descriptors are those in the body of an SCM_RIGHTS message.
func descriptors(body []byte) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(body))), len(body)/sizeofInt32)
}

// addRights adds the descriptors in the body of an SCM_RIGHTS message to set, which is made if it
// is nil.
func addRights(set *descriptor.Set, body []byte) *descriptor.Set {
	fds := descriptors(body)
	if set == nil && len(fds) > 0 {
		set = descriptor.NewSet(descriptor.System, len(fds))
	}
	for _, fd := range fds {
		if fd < 0 { // Linux 7.3: SO_RIGHTS_NOTRUNC, which a former owner of the socket may have set
			set.AddRefused(uint32(-fd))
			continue
		}
		set.AddUnnamed(uintptr(fd))
	}
	return set
}
