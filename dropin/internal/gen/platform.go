package main

import (
	"fmt"
	"go/build"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// A platform is a system and one of its architectures.
type platform struct{ system, arch string }

func (p platform) String() string { return p.system + "/" + p.arch }

// bases are the systems that others are variants of: what is built for the base is built for the variant, too (go/build).
var bases = map[string]string{"android": "linux", "illumos": "solaris", "ios": "darwin"}

// base is the system that p is, or is a variant of.
func (p platform) base() string {
	if b, ok := bases[p.system]; ok {
		return b
	}
	return p.system
}

// platforms returns those that the packages are for: of all that Go knows, Windows, and Unix.
func platforms() ([]platform, error) {
	out, err := exec.Command("go", "tool", "dist", "list").Output()
	if err != nil {
		return nil, fmt.Errorf("go tool dist list: %w", err)
	}
	var list []platform
	for _, line := range strings.Fields(string(out)) {
		system, arch, _ := strings.Cut(line, "/")
		if p := (platform{system, arch}); p.builds("p.go", "unix || windows") {
			list = append(list, p)
		}
	}
	return list, nil
}

// builds reports whether a file of this name, with this build constraint if it is not empty, is built on p.
func (p platform) builds(file, constraint string) bool {
	context := build.Default
	context.GOOS, context.GOARCH = p.system, p.arch
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

// A group is platforms that share a file.
type group struct {
	file       string // what its name has behind zexport_
	constraint string // beside that of the name; "" for none
	members    []platform
}

// groups returns the groups in the order in which a name looks for its file: the first of which all members have the name.
func groups(all []platform) []group {
	list := []group{
		{file: "unix", constraint: "unix"},
		{file: "nolinux", constraint: "unix && !linux"},
		{file: "bsd", constraint: "darwin || dragonfly || freebsd || netbsd || openbsd"},
	}
	for _, p := range all {
		list = append(list, group{file: p.base()})
	}
	for _, p := range all {
		list = append(list, group{file: p.base() + "_" + p.arch})
	}
	for _, p := range all {
		list = append(list, p.alone(p.system))
	}
	for _, p := range all {
		list = append(list, p.alone(p.system+"_"+p.arch))
	}
	var named []group
	seen := make(map[string]bool)
	for _, g := range list {
		if !seen[g.file] {
			seen[g.file] = true
			named = append(named, g.among(all))
		}
	}
	return named
}

// name is the name of the file of g.
func (g group) name() string { return "zexport_" + g.file + ".go" }

// among returns g with its members, which are those of all that its file is built on.
func (g group) among(all []platform) group {
	g.members = slices.DeleteFunc(slices.Clone(all), func(p platform) bool { return !p.builds(g.name(), g.constraint) })
	return g
}

// alone returns the group with this name, or one of its own if p's system has a variant, which does not belong to it.
func (p platform) alone(file string) group {
	for variant, base := range bases {
		if base == p.system {
			return group{file: strings.Replace(file, base, base+"_alone", 1), constraint: base + " && !" + variant}
		}
	}
	return group{file: file}
}

// kernelGroup is that of the names which are ours with the tag afunix_pipe.
func kernelGroup(all []platform) group {
	g := group{file: "kernel_linux"}.among(all)
	g.constraint = "!afunix_pipe"
	return g
}

// tables are the exports of each platform that are in no file yet.
type tables map[platform]map[string]export

// takeCommon removes what all members have with the same declaration, and returns it. The first of them has the names of parameters.
func (t tables) takeCommon(members []platform) map[string]export {
	common := make(map[string]export)
	for name, e := range t[members[0]] {
		if !slices.ContainsFunc(members, func(p platform) bool { return !e.equal(t[p][name]) }) {
			common[name] = e
		}
	}
	for name := range common {
		for _, p := range members {
			delete(t[p], name)
		}
	}
	return common
}

// nothingLeft returns an error that names what is in no file.
func (t tables) nothingLeft() error {
	for p, exports := range t {
		for name := range exports {
			return fmt.Errorf("%v: %s is not the same on all architectures", p, name)
		}
	}
	return nil
}
