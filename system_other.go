//go:build !unix && !windows

package afunix

const systemTransport = KernelTransport // which has nothing here
