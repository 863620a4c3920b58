//go:build unix && !race

package apitest

const raceDetector = false
