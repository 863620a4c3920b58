// Package linuxpipe is the message pipe of the pipe transport on Linux, and the process at its
// other end.
//
// The pipe is a SOCK_SEQPACKET socket that carries no descriptors. The process is the pidfd that
// the kernel itself attaches to the peer's hello (SO_PASSPIDFD and SCM_PIDFD, Linux 6.5), and
// descriptors are pulled out of it with pidfd_getfd(2) (Linux 5.6), which asks for what ptrace(2)
// asks: the same user and no privileges gained since, or CAP_SYS_PTRACE. There is no way to push.
// On older kernels data flows, and descriptors cannot be passed. A process that is out of
// descriptors when the hello comes gets the pidfd with a later packet; what is sent to it before
// that is lost, as in the kernel.
package linuxpipe
