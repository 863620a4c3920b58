package relay

import (
	"os"
	"os/exec"
	"testing"

	"afunix"
)

// A message has the credentials of the process that sent it, not those of the relay. If that
// process has ended before, its user stays.
func TestCredentialsOfWhomTheRelaySpeaksFor(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a process may only speak for another one as root")
	}
	r, start := unjoined(t, afunix.KernelTransport, "unix")
	if err := r.b.SetPassCredentials(true); err != nil {
		t.Fatal(err)
	}
	file, err := r.a.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command("setpriv", "--reuid=12345", "--regid=54321", "--clear-groups", "sh", "-c", "echo nobody >&3")
	cmd.ExtraFiles = []*os.File{file}
	start()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("no process of another user: %v, %s", err, out)
	}
	m, err := r.b.ReadMsg(make([]byte, 100))
	if err != nil || string(m.Data) != "nobody\n" || m.Credentials == nil || m.Credentials.UID != 12345 || m.Credentials.GID != 54321 {
		t.Errorf("%q of %+v, %v", m.Data, m.Credentials, err)
	}
	closeAll(t, r.a, r.b)
	file.Close()
	if err := r.ends(t); err != nil && !gone(err) {
		t.Error(err)
	}
}
