//go:build unix && !linux

package descriptor

func systemSpecimens() []specimen { return []specimen{{"terminal", Terminal, openPath("/dev/ptmx")}} }
