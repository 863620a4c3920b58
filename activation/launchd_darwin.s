#include "textflag.h"

TEXT launch_activate_socket_trampoline<>(SB),NOSPLIT,$0-0
	JMP	libc_launch_activate_socket(SB)
GLOBL	·launchActivateSocketAddr(SB), RODATA, $8
DATA	·launchActivateSocketAddr(SB)/8, $launch_activate_socket_trampoline<>(SB)

TEXT free_trampoline<>(SB),NOSPLIT,$0-0
	JMP	libc_free(SB)
GLOBL	·freeAddr(SB), RODATA, $8
DATA	·freeAddr(SB)/8, $free_trampoline<>(SB)
