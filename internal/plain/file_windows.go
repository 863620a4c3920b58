package plain

import (
	"io"
	"os"

	"golang.org/x/sys/windows"

	"afunix/internal/lookalike"
	"afunix/internal/winfile"
)

// rendezvousAt reads a socket file of another program: ECONNREFUSED if it is none. Cygwin takes no
// file for a socket that has not the attribute SYSTEM; libassuan does not set it.
func rendezvousAt(path string) (Rendezvous, error) {
	found, err := winfile.Follow(path)
	if err != nil {
		return Rendezvous{}, err
	}
	file, err := readAll(found)
	if err != nil {
		return Rendezvous{}, err
	}
	r, ok := ParseRendezvous(file)
	if !ok {
		return Rendezvous{}, lookalike.Refused(file)
	}
	r.Assuan = !r.Cygwin || found.Attributes&windows.FILE_ATTRIBUTE_SYSTEM == 0
	return r, nil
}

// readAll returns what is in the file, or a byte more than any socket file has.
func readAll(found winfile.Found) ([]byte, error) {
	h, err := winfile.OpenFound(found, windows.GENERIC_READ)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(h), found.Path)
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, lookalike.Longest))
}
