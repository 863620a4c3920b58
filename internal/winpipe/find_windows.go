package winpipe

import (
	"encoding/binary"

	"afunix/internal/cred"
	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// Find returns which pipe name leads to.
func (System) Find(name string, t sock.Type) (pipe.Place, error) {
	if err := checkName(name, t); err != nil {
		return pipe.Place{}, err
	}
	id := abstractID(cred.Self().SID, name, t)
	if !pipe.IsAbstract(name) {
		file, _, err := readSocketFile(name)
		if err != nil {
			return pipe.Place{}, err
		}
		id = file.id
	}
	return pipe.Place{binary.LittleEndian.Uint64(id[:]), binary.LittleEndian.Uint64(id[8:])}, nil
}
