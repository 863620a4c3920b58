package upgrade

import (
	"os"
	"strconv"
)

// firstNamespace is what the link below /proc says in the PID namespace that the system has started
// with (PROC_PID_INIT_INO in the kernel's include/linux/proc_ns.h).
const firstNamespace = "pid:[4026531836]"

// isManagersNumber reports whether the service manager is known to have the same number for this
// process as this process itself. That is so in the PID namespace that the system has started with,
// where the service manager is, too. It is also so where the manager has said so, as systemd does
// since version 248 (SYSTEMD_EXEC_PID in systemd.exec(5)). A manager outside of a container would
// take a number from inside for that of another process.
func isManagersNumber() bool {
	pid := os.Getpid()
	if pid == 1 {
		return false // it has not been started by anybody who can see it
	}
	link, err := os.Readlink("/proc/self/ns/pid")
	return err == nil && link == firstNamespace || os.Getenv("SYSTEMD_EXEC_PID") == strconv.Itoa(pid)
}

// isPID1 reports whether the end of this process is the end of all in its PID namespace.
func isPID1() bool { return os.Getpid() == 1 }
