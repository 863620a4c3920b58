//go:build race

package platforms

const raceEnabled = true
