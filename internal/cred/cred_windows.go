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
