#include "textflag.h"

TEXT ·sum(SB), NOSPLIT, $0-16
	MOVQ a+8(FP), AX
	MOVQ AX, BP
	RET
