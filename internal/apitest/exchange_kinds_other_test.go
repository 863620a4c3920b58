//go:build !linux && !windows

package apitest

// systemArticles are those that only this system has: kqueues, for one, cannot be passed.
var systemArticles []article

// handlesOfThreads: threads have no descriptors here.
const handlesOfThreads = 0
