#include "textflag.h"

// func prefetch(lines *unsafe.Pointer, n int)
TEXT ·prefetch(SB), NOSPLIT, $0-16
	MOVQ lines+0(FP), AX
	MOVQ n+8(FP), CX

next:
	DECQ CX
	JLT  done
	MOVQ (AX)(CX*8), DX
	PREFETCHT0 (DX)
	JMP  next

done:
	RET
