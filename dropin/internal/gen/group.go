package main

import (
	"fmt"
	"slices"
	"strings"

	"afunix/internal/platforms"
)

type platform = platforms.Platform

// bases are the systems that others are variants of: what is built for the base is built for the
// variant, too (go/build).
var bases = map[string]string{"android": "linux", "illumos": "solaris", "ios": "darwin"}

// base is the system that p is, or is a variant of.
func base(p platform) string {
	if b, ok := bases[p.System]; ok {
		return b
	}
	return p.System
}

// A group is platforms that share a file.
type group struct {
	file       string // what its name has behind zexport_
	constraint string // beside that of the name; "" for none
	members    []platform
}

// groups returns the groups in the order in which a name looks for its file: the first of which all
// members have the name.
func groups(all []platform) []group {
	list := []group{
		{file: "unix", constraint: "unix"},
		{file: "nolinux", constraint: "unix && !linux"},
		{file: "bsd", constraint: "darwin || dragonfly || freebsd || netbsd || openbsd"},
	}
	for _, p := range all {
		list = append(list, group{file: base(p)})
	}
	for _, p := range all {
		list = append(list, group{file: base(p) + "_" + p.Arch})
	}
	for _, p := range all {
		list = append(list, alone(p, p.System))
	}
	for _, p := range all {
		list = append(list, alone(p, p.System+"_"+p.Arch))
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
	g.members = slices.DeleteFunc(slices.Clone(all), func(p platform) bool { return !p.Builds(g.name(), g.constraint) })
	return g
}

// alone returns the group with this name, or one of its own if p's system has a variant, which does
// not belong to it.
func alone(p platform, file string) group {
	for variant, b := range bases {
		if b == p.System {
			return group{file: strings.Replace(file, b, b+"_alone", 1), constraint: b + " && !" + variant}
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

// takeCommon removes what all members have with the same declaration, and returns it. The first of
// them has the names of parameters.
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
