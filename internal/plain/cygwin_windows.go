package plain

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
)

// identity is what a client says of itself: the numbers of process, user and group. Cygwin has 32
// bits for each of them. libassuan, which does as Cygwin if told to, has 16 bits for the last two,
// and looks at none of them; more would be taken for data.
func (r Rendezvous) identity() []byte {
	id := binary.LittleEndian.AppendUint32(nil, uint32(os.Getpid()))
	if r.Assuan {
		return append(id, make([]byte, 4)...)
	}
	machine := machineSID()
	id = binary.LittleEndian.AppendUint32(id, cygwinID(cred.Self().SID, machine))
	return binary.LittleEndian.AppendUint32(id, cygwinID(primaryGroup(), machine))
}

// machineSID returns the SID that those of the machine's own accounts begin with; "" if the system
// does not say.
func machineSID() string {
	name, err := windows.ComputerName()
	if err != nil {
		return ""
	}
	sid, _, _, err := windows.LookupSID("", name)
	if err != nil {
		return ""
	}
	return sid.String()
}

// primaryGroup returns the group of this process's user; "" if the system does not say.
func primaryGroup() string {
	group, err := windows.GetCurrentProcessToken().GetTokenPrimaryGroup()
	if err != nil {
		return ""
	}
	return group.PrimaryGroup.String()
}
