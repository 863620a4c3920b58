// Package platforms knows the systems and architectures that Go knows, and type-checks packages for
// any of them, which takes a small part of the time that compiling takes. It is for tests and for
// the generator below dropin.
package platforms

import (
	"fmt"
	"go/build"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// A Platform is a system and one of its architectures: GOOS and GOARCH.
type Platform struct{ System, Arch string }

// String returns what "go tool dist list" calls p.
func (p Platform) String() string { return p.System + "/" + p.Arch }

// List returns what the go command in the PATH can build for.
func List() ([]Platform, error) {
	out, err := exec.Command("go", "tool", "dist", "list").Output()
	if err != nil {
		return nil, fmt.Errorf("go tool dist list: %w", err)
	}
	var list []Platform
	for _, line := range strings.Fields(string(out)) {
		system, arch, _ := strings.Cut(line, "/")
		list = append(list, Platform{system, arch})
	}
	return list, nil
}

// Those returns the platforms of list that meet a build constraint.
func Those(list []Platform, constraint string) []Platform {
	return slices.DeleteFunc(slices.Clone(list), func(p Platform) bool { return !p.Builds("p.go", constraint) })
}

// Builds reports whether a file of this name, with this build constraint if it is not empty, is
// built on p.
func (p Platform) Builds(file, constraint string) bool {
	context := build.Default
	context.GOOS, context.GOARCH = p.System, p.Arch
	context.OpenFile = func(string) (io.ReadCloser, error) {
		text := "package p\n"
		if constraint != "" {
			text = "//go:build " + constraint + "\n\n" + text
		}
		return io.NopCloser(strings.NewReader(text)), nil
	}
	match, err := context.MatchFile("", file)
	return match && err == nil
}
