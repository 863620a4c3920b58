//go:build unix && race

package apitest

const raceDetector = true
