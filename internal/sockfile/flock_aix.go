package sockfile

import (
	"errors"
	"os"
)

// tryFlock cannot be had: the locks of fcntl(2) do not keep one part of a process from another.
func tryFlock(*os.File) error { return errors.ErrUnsupported }
