package cred

import (
	"os"
	"sync"

	"golang.org/x/sys/windows"
)

// selfSID is the user of this process's token: of the process, whomever the calling thread
// impersonates. It cannot change while the process lives. Empty if the system does not say, and
// then nobody is the same user.
var selfSID = sync.OnceValue(func() string {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return ""
	}
	return user.User.Sid.String()
})

func self() Credentials {
	return Credentials{PID: os.Getpid(), UID: -1, GID: -1, SID: selfSID()}
}

func sameUser(c Credentials) bool { return c.SID != "" && c.SID == selfSID() }

// Of returns the credentials of the process that has this number now.
func Of(pid uint32) (Credentials, error) {
	sid, err := userOf(pid)
	return Credentials{PID: int(pid), UID: -1, GID: -1, SID: sid}, err
}

// userOf returns the security identifier of the user that process pid runs as.
func userOf(pid uint32) (string, error) {
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return "", os.NewSyscallError("openprocess", err)
	}
	defer windows.CloseHandle(process)
	var token windows.Token
	if err := windows.OpenProcessToken(process, windows.TOKEN_QUERY, &token); err != nil {
		return "", os.NewSyscallError("openprocesstoken", err)
	}
	defer token.Close()
	user, err := token.GetTokenUser()
	if err != nil {
		return "", os.NewSyscallError("gettokeninformation", err)
	}
	return user.User.Sid.String(), nil
}
