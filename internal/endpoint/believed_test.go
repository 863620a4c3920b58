package endpoint

import (
	"testing"

	"afunix/internal/cred"
	"afunix/internal/sock"
)

// Who moves a socket cannot give what is in its queue a user or a group that he is not himself.
func TestAMoverIsBelievedWhatHeIs(t *testing.T) {
	writer := sock.Writer{PID: 7, UID: 10, GID: 1}
	who := cred.Credentials{PID: 7, UID: 10, GID: 1}
	for _, c := range []struct {
		mover, want cred.Credentials
	}{
		{cred.Credentials{PID: 8, UID: 10, GID: 1}, who},
		{cred.Credentials{PID: 8}, who},
		{cred.Credentials{PID: 8, UID: 11, GID: 1}, nobody},
		{cred.Credentials{PID: 8, UID: 10, GID: 2}, nobody},
		{cred.Credentials{PID: 8, UID: 10, GID: 1, SID: "S"}, nobody},
	} {
		if got := believed(writer, c.mover); got != c.want {
			t.Errorf("%+v of %+v: %+v, want %+v", c.mover, writer, got, c.want)
		}
	}
}
