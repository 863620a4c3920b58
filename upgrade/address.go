package upgrade

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"afunix/internal/longpath"
	"afunix/internal/sockfile"
)

// checkAddress returns the address, wherever this process goes, or says what is wrong with it.
func checkAddress(address string) (string, error) {
	if address == "" || address[0] == '@' {
		return "", fmt.Errorf("Config.Address is %q, and has to be a path: %w", address, syscall.EINVAL)
	}
	if err := checkName(address); err != nil {
		return "", fmt.Errorf("Config.Address is %q: %w", address, err)
	}
	if limit := longest(address); len(address) > limit {
		return "", fmt.Errorf("Config.Address has %d bytes, of which a socket's address takes %d: %w",
			len(address), limit, syscall.EINVAL)
	}
	if abs, err := filepath.Abs(address); err == nil && len(abs) <= longest(abs) {
		return abs, nil
	}
	return address, nil
}

// longest returns how long the path of a socket may be in the directory of the address.
func longest(address string) int {
	dir, _ := filepath.Split(address)
	return max(maxAddress, longpath.Longest(dir))
}

// beside returns a name in the directory of the address, of at most limit bytes: the address with a
// dot and eight of the number's hexadecimal digits behind it if there is room, or else in place of
// its end; at worst a few of the digits.
func beside(address string, limit int, number uint32) string {
	dir, base := filepath.Split(address)
	room := limit - len(dir)
	suffix := fmt.Sprintf(".%08x", number)
	if room == 1 {
		return dir + suffix[1:2] // a dot is the directory itself
	}
	suffix = suffix[:min(len(suffix), room)]
	return dir + base[:min(len(base), room-len(suffix))] + suffix
}

// leftoverAge is how old a file must be to count as one that a process left when it died before it
// could publish the file. A file that a process is just making looks the same.
const leftoverAge = time.Minute

// leftoverSuffix is what such a file has behind the address. Names that are shorter could be those
// of others.
var leftoverSuffix = regexp.MustCompile(`^\.[0-9a-f]{8}$`)

// removeLeftovers removes what processes have left beside the address that have died while they put
// themselves there. What cannot be removed is in nobody's way.
func removeLeftovers(address string) {
	dir, base := filepath.Split(address)
	entries, _ := os.ReadDir(filepath.Clean(dir)) // as many as can be read
	for _, e := range entries {
		suffix, ok := strings.CutPrefix(e.Name(), base)
		if path := dir + e.Name(); ok && leftoverSuffix.MatchString(suffix) && isOld(e) {
			if id, stale := sockfile.StaleID(path); stale {
				_ = sockfile.Unlink(path, id)
			}
		}
	}
}

func isOld(e fs.DirEntry) bool {
	info, err := e.Info()
	return err == nil && time.Since(info.ModTime()) > leftoverAge
}
