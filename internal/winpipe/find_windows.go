package winpipe

import (
	"encoding/binary"

	"afunix/internal/cred"
)

// A Place is what a name leads to: equal to another one as long as that is the same socket.
type Place [2]uint64

// Find returns what address, a path or an abstract name, leads to. Errors are those of connect(2).
func Find(address string, socketType uint8) (Place, error) {
	if err := checkName(address, socketType); err != nil {
		return Place{}, err
	}
	id := abstractID(cred.Self().SID, address, socketType)
	if !isAbstract(address) {
		file, _, err := readSocketFile(address)
		if err != nil {
			return Place{}, err
		}
		id = file.id
	}
	return Place{binary.LittleEndian.Uint64(id[:]), binary.LittleEndian.Uint64(id[8:])}, nil
}
