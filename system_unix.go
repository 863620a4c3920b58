//go:build unix

package afunix

const systemTransport = KernelTransport
