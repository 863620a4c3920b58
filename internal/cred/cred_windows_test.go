package cred

import (
	"os"
	"strings"
	"testing"
)

func TestSelfIsThisProcessAndUser(t *testing.T) {
	c := Self()
	if c.PID != os.Getpid() || c.UID != -1 || c.GID != -1 {
		t.Errorf("Self() = %+v, want this process's number and no Unix user", c)
	}
	if !strings.HasPrefix(c.SID, "S-1-") {
		t.Errorf("SID = %q, want a security identifier", c.SID)
	}
	if !c.SameUser() {
		t.Error("Self().SameUser() = false")
	}
}

func TestAnotherOrUnknownUserIsNotTheSame(t *testing.T) {
	for _, sid := range []string{"", "S-1-5-18", "S-1-0-0"} {
		if sid == Self().SID {
			continue
		}
		if (Credentials{SID: sid}).SameUser() {
			t.Errorf("SameUser() = true for SID %q", sid)
		}
	}
}
