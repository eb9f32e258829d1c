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

// func prefetchBytes(first *byte, n int)
TEXT ·prefetchBytes(SB), NOSPLIT, $0-16
	MOVQ first+0(FP), AX
	MOVQ n+8(FP), CX
	ADDQ AX, CX
	ANDQ $~63, AX

line:
	PREFETCHT0 (AX)
	ADDQ $64, AX
	CMPQ AX, CX
	JLT  line
	RET
