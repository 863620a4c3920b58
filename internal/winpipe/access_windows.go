package winpipe

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
	"afunix/internal/pipe"
)

// An access says who may connect, and who may read the socket file that leads there: two security
// descriptors as SDDL.
type access struct{ pipe, file string }

// Bits of a Mode by which others may connect: connect(2) needs the permission to write.
const (
	ownerWrites = 0o200
	groupWrites = 0o020
	otherWrites = 0o002
)

// Rights that are granted to those who may connect. To write to the socket file is not among them:
// that would be to say where it leads.
const (
	mayConnect = "0x12019b" // clientAccess
	mayRead    = "FR"
)

// accessOf translates what a Unix has as mode and group of a socket file. EINVAL: the options
// contradict each other, or ask for what the access lists of Windows cannot say; then the text says
// what.
func accessOf(o pipe.Options, abstract bool) (access, error) {
	if err := checkOwner(o.Owner); err != nil {
		return access{}, err
	}
	private := o.Mode == 0 && o.Group == ""
	switch {
	case o.SecurityDescriptor != "":
		if private {
			return access{o.SecurityDescriptor, o.SecurityDescriptor}, nil
		}
		return access{}, contradiction("either a security descriptor, or Mode and Group")
	case private:
		return access{}, nil
	case o.Mode == 0:
		return access{}, contradiction("Group means something with a Mode only")
	case o.Mode.Perm()&ownerWrites == 0:
		return access{}, contradiction("Mode %#o, which does not let the owner in", o.Mode.Perm())
	case abstract && o.Mode.Perm()&(groupWrites|otherWrites) != 0:
		return access{}, contradiction("Mode %#o: another user cannot find an abstract name", o.Mode.Perm())
	case o.Group == "" && o.Mode.Perm()&groupWrites != 0 && o.Mode.Perm()&otherWrites == 0:
		return access{}, contradiction("Mode %#o lets in a group: Group has to say which", o.Mode.Perm())
	}
	group, err := groupSID(o.Group)
	if err != nil {
		return access{}, err
	}
	return access{listFor(o.Mode, group, mayConnect), listFor(o.Mode, group, mayRead)}, nil
}

// contradiction is EINVAL, and what is wrong with the options.
func contradiction(format string, args ...any) error {
	return fmt.Errorf("%w: %s", syscall.EINVAL, fmt.Sprintf(format, args...))
}

// listFor is an access list for the current user and SYSTEM, and those whom mode lets in. It is
// read in its order, as a mode is: what is said of the owner holds for the owner, whatever comes
// later, and what is said of the group for its members.
func listFor(mode fs.FileMode, group, rights string) string {
	list := "D:P(A;;GA;;;" + cred.Self().SID + ")(A;;GA;;;SY)"
	others := mode.Perm()&otherWrites != 0
	switch {
	case group == "":
	case mode.Perm()&groupWrites != 0:
		list += "(A;;" + rights + ";;;" + group + ")"
	case others:
		list += "(D;;GA;;;" + group + ")" // or they would be let in as others
	}
	if others {
		list += "(A;;" + rights + ";;;WD)"
	}
	return list
}

// checkOwner refuses an owner who is not the current user. Clients hold the owner of the socket
// file against the process that serves them.
func checkOwner(owner string) error {
	if owner == "" {
		return nil
	}
	sid, _, err := lookupSID(owner)
	switch {
	case err != nil:
		return fmt.Errorf("%w: there is no user %s", syscall.EINVAL, owner)
	case sid != cred.Self().SID:
		return fmt.Errorf("%w: Owner %s is not the user of this process", errors.ErrUnsupported, owner)
	}
	return nil
}

// groupSID returns the SID of a group, which is given by its name or SID; "" if none is given.
func groupSID(group string) (string, error) {
	if group == "" {
		return "", nil
	}
	sid, use, err := lookupSID(group)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: there is no group %s", syscall.EINVAL, group)
	case use == windows.SidTypeUser || use == windows.SidTypeComputer || use == windows.SidTypeDomain:
		return "", fmt.Errorf("%w: %s is no group", syscall.EINVAL, group)
	}
	return sid, nil
}

// lookupSID returns the SID of an account, and what kind of account it is. A SID is one also where
// nothing is known of its account.
func lookupSID(account string) (sid string, use uint32, err error) {
	if s, err := windows.StringToSid(account); err == nil {
		_, _, use, err := s.LookupAccount("")
		if err != nil {
			use = windows.SidTypeUnknown
		}
		return s.String(), use, nil
	}
	s, _, use, err := windows.LookupSID("", account)
	if err != nil {
		return "", 0, err
	}
	return s.String(), use, nil
}
