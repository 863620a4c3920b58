package main

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"afunix"
)

// maxName is how much of a name is kept: file systems have 255 bytes or UTF-16 units, and a number
// may be added.
const maxName = 200

// fileName returns the name under which the contents of a descriptor are saved: that of the
// original, if it has one, made safe for every system; else its kind.
func fileName(kind afunix.Kind, original string) string {
	name := ""
	if kind == afunix.KindFile {
		// Linux adds this to the name of a file that has none left.
		name = safeName(strings.TrimSuffix(original, " (deleted)"))
	}
	if name == "" {
		name = safeName(kind.String())
	}
	return name
}

// safeName returns the last element of a path with nothing in it that has a meaning to a file
// system, a shell or a terminal. It is empty if nothing is left.
func safeName(path string) string {
	path = path[strings.LastIndexAny(path, `/\`)+1:]
	name := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-+", r) {
			return r
		}
		return '_'
	}, path)
	name = strings.TrimLeft(name, ".-") // hidden files, and what looks like a flag
	for len(name) > maxName {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	name = strings.TrimRight(name, ".") // Windows takes it off in silence
	if isDevice(name) {
		name = "_" + name
	}
	return name
}

// isDevice reports whether Windows takes a name for that of a device, whatever its extension.
func isDevice(name string) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	if slices.Contains([]string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}, stem) {
		return true
	}
	digit, found := strings.CutPrefix(stem, "COM")
	if !found {
		digit, found = strings.CutPrefix(stem, "LPT")
	}
	return found && slices.Contains([]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³"}, digit)
}
