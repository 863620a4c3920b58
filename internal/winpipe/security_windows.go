package winpipe

import (
	"runtime"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
)

// Well-known security identifiers.
const (
	systemSID         = "S-1-5-18"
	administratorsSID = "S-1-5-32-544"
	everyoneSID       = "S-1-1-0" // what file systems without owners report as the owner
)

// Integrity levels: the last part of the SID of a mandatory label.
const (
	integrityMedium = 0x2000 // of an object without a label
	integrityHigh   = 0x3000
)

// onWine reports whether this is Wine, which says so by an export of its own.
var onWine = sync.OnceValue(func() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
})

// securityAttributes makes what a listener's pipes and its socket file are created with: sddl, or
// full access for the current user and SYSTEM if that is empty. The owner is set explicitly to the
// user, because clients check it and an elevated process would make its objects belong to
// Administrators.
//
// An sddl that lets other users in should grant them 0x12019B: reading and writing without
// FILE_CREATE_PIPE_INSTANCE, which GENERIC_WRITE includes and with which a client could serve other
// clients. That is all that Dial asks for.
func securityAttributes(sddl string) (*windows.SecurityAttributes, error) {
	user := cred.Self().SID
	if user == "" {
		return nil, syscall.EACCES
	}
	if sddl == "" {
		sddl = "D:P(A;;GA;;;" + user + ")(A;;GA;;;SY)"
	}
	if !strings.Contains(sddl, "S:") {
		sddl += ownLabel()
	}
	descriptor, err := windows.SecurityDescriptorFromString(sddl)
	if err == nil && !strings.HasPrefix(sddl, "O:") {
		descriptor, err = windows.SecurityDescriptorFromString("O:" + user + sddl)
	}
	if err != nil {
		return nil, syscall.EINVAL
	}
	attributes := &windows.SecurityAttributes{SecurityDescriptor: descriptor}
	attributes.Length = uint32(unsafe.Sizeof(*attributes))
	return attributes, nil
}

// ownLabel is the mandatory label by which an elevated process shows its integrity to clients that
// may not look at its token: no process can label an object above its own integrity. The label
// forbids nothing but execution.
func ownLabel() string {
	if self, err := selfSubject(); err != nil || self.integrity < integrityHigh {
		return "" // the system labels what is below medium, and no label means medium
	}
	return "S:(ML;;NX;;;HI)"
}

// ownerOf returns the owner of a file or a pipe. Wine has none to report for a pipe; but there, all
// processes that can see the pipe are the same user's.
func ownerOf(h windows.Handle, objectType windows.SE_OBJECT_TYPE) (string, error) {
	descriptor, err := windows.GetSecurityInfo(h, objectType, windows.OWNER_SECURITY_INFORMATION)
	if err == nil {
		var owner *windows.SID
		if owner, _, err = descriptor.Owner(); err == nil && owner != nil {
			return owner.String(), nil
		}
	}
	if onWine() {
		return cred.Self().SID, nil
	}
	return "", syscall.EACCES
}

// verifyOwner refuses a pipe that somebody else serves. fileOwner is the owner of the socket file
// that led to the pipe, or "" if a name led to it. The file's owner chose to which pipe clients
// connect, so the pipe must be that owner's. Without a fileOwner the pipe must be this process's
// own user's or the system's.
func verifyOwner(pipeOwner, fileOwner string) error {
	switch {
	case fileOwner != "" && fileOwner != everyoneSID:
		if pipeOwner == fileOwner {
			return nil
		}
	case pipeOwner == cred.Self().SID, pipeOwner == systemSID, pipeOwner == administratorsSID:
		return nil
	}
	return syscall.EACCES
}

// A subject is who a token speaks for, as far as it matters here.
type subject struct {
	user       string
	integrity  uint32
	admin      bool // Administrators is among the groups, enabled, and the integrity is high
	restricted bool // a restricted token, as sandboxes have
}

// trusted reports whether s is at least as privileged as this process (P1): what s put into our
// handle table is then believed, as s could do anything to us anyway.
func (s subject) trusted() bool {
	if s.user == systemSID || s.admin {
		return true
	}
	self, err := selfSubject()
	return err == nil && s.user == self.user && s.integrity >= self.integrity && (!s.restricted || self.restricted)
}

var selfSubject = sync.OnceValues(func() (subject, error) {
	return subjectOf(windows.GetCurrentProcessToken())
})

// processSubject returns the subject of process, which may refuse to say.
func processSubject(process windows.Handle) (subject, error) {
	var token windows.Token
	if err := windows.OpenProcessToken(process, windows.TOKEN_QUERY, &token); err != nil {
		return subject{}, err
	}
	defer token.Close()
	return subjectOf(token)
}

// clientSubject returns the subject that opened the client's end of pipe. The system knows the
// subject from the moment at which the first packet was read. Before that, clientSubject fails. The
// thread that impersonates the client runs nothing else. It ends with its goroutine if it cannot
// become itself again. On Wine the server impersonates itself.
func clientSubject(pipe windows.Handle) (subject, error) {
	var client subject
	failed := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := impersonateNamedPipeClient(pipe); err != nil {
			runtime.UnlockOSThread()
			failed <- err
			return
		}
		var token windows.Token
		err := windows.OpenThreadToken(windows.CurrentThread(), windows.TOKEN_QUERY, true, &token)
		if revertErr := windows.RevertToSelf(); revertErr == nil {
			runtime.UnlockOSThread()
		}
		if err == nil {
			client, err = subjectOf(token)
			token.Close()
		}
		failed <- err
	}()
	return client, <-failed
}

func subjectOf(token windows.Token) (subject, error) {
	user, err := token.GetTokenUser()
	if err != nil {
		return subject{}, err
	}
	s := subject{user: user.User.Sid.String()}
	if s.integrity, err = tokenIntegrity(token); err != nil {
		return subject{}, err
	}
	groups, err := token.GetTokenGroups()
	if err != nil {
		return subject{}, err
	}
	for _, group := range groups.AllGroups() {
		if group.Attributes&windows.SE_GROUP_ENABLED != 0 && group.Sid.IsWellKnown(windows.WinBuiltinAdministratorsSid) {
			s.admin = s.integrity >= integrityHigh
		}
	}
	s.restricted, err = hasRestrictedSIDs(token)
	return s, err
}

// hasRestrictedSIDs does what IsTokenRestricted does, whose result does not tell "no" from a
// failure. Wine 8 cannot be asked, and has no restricted tokens.
func hasRestrictedSIDs(token windows.Token) (bool, error) {
	var groups windows.Tokengroups // room for the number and one group: more do not fit, and so tell themselves
	var size uint32
	err := windows.GetTokenInformation(token, windows.TokenRestrictedSids,
		(*byte)(unsafe.Pointer(&groups)), uint32(unsafe.Sizeof(groups)), &size)
	switch {
	case err == windows.ERROR_INSUFFICIENT_BUFFER:
		return true, nil
	case err != nil && onWine():
		return false, nil
	}
	return groups.GroupCount != 0, err
}

func tokenIntegrity(token windows.Token) (uint32, error) {
	var label struct {
		windows.Tokenmandatorylabel
		sid [68]byte // SECURITY_MAX_SID_SIZE
	}
	var size uint32
	err := windows.GetTokenInformation(token, windows.TokenIntegrityLevel,
		(*byte)(unsafe.Pointer(&label)), uint32(unsafe.Sizeof(label)), &size)
	if err != nil {
		return 0, err
	}
	return lastSubAuthority(label.Label.Sid), nil
}

// labelled returns what pipeIntegrity says of a pipe whose creator has the given integrity.
func labelled(integrity uint32) uint32 {
	switch {
	case integrity >= integrityHigh:
		return integrityHigh
	case integrity >= integrityMedium:
		return integrityMedium
	}
	return integrity
}

// pipeIntegrity returns the integrity that the creator of pipe had, at least: the system labels
// pipes that are created with less than medium integrity, and Listen labels those that it creates
// with more.
func pipeIntegrity(pipe windows.Handle) uint32 {
	descriptor, err := windows.GetSecurityInfo(pipe, windows.SE_KERNEL_OBJECT, windows.LABEL_SECURITY_INFORMATION)
	if err != nil {
		return 0
	}
	acl, _, err := descriptor.SACL()
	if err != nil || acl == nil {
		return integrityMedium
	}
	var ace *windows.ACCESS_ALLOWED_ACE // SYSTEM_MANDATORY_LABEL_ACE has the same shape
	if windows.GetAce(acl, 0, &ace) != nil {
		return integrityMedium
	}
	return lastSubAuthority((*windows.SID)(unsafe.Pointer(&ace.SidStart)))
}

func lastSubAuthority(sid *windows.SID) uint32 {
	n := sid.SubAuthorityCount()
	if n == 0 {
		return 0
	}
	return sid.SubAuthority(uint32(n) - 1)
}
