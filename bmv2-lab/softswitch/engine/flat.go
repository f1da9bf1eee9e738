package engine

// The fast form of a program is flat code: one array of small instructions on the words of
// the state, for the parser and for each pipeline. What has no instruction of its own is a
// call of the closure that the plain form has for it, so flat code runs every program; what
// is common has one. Both forms give the same results, and tests hold them to it.

// opcode is what an instruction does.
type opcode uint16

// A, B and C are the words (or numbers) a, b and c of the instruction. A jump goes to the
// instruction bc (b and c together) if it compares with the constant k, and to k otherwise.
const (
	opMove   opcode = iota // A = B
	opMove2                // two words
	opConst                // A = k
	opConst2               // two words: A = k, A+1 = 0
	opParam                // A = parameter b & k
	opSext                 // A = the value of B's low 64-c bits as a signed number
	opAndK                 // A = B & k
	opOrK                  // A = B | k
	opOrK2                 // two words: A = B | k, A+1 = 0
	opXorK                 // A = B ^ k
	opAddK                 // A = B + k, in 64-c bits
	opShlK                 // A = B << c & k
	opShrK                 // A = B >> c & k
	opAnd                  // A = B & C & k
	opOr                   // A = (B | C) & k
	opXor                  // A = (B ^ C) & k
	opAdd                  // A = (B + C) & k
	opSub                  // A = (B - C) & k
	opMul                  // A = B * C & k
	opNot                  // A = ^B & k
	opShlOr                // A = B << k | C
	opMod                  // A = B % max(C, 1)

	opJump   // to k
	opJumpEq // if A == B
	opJumpNe
	opJumpLt // unsigned
	opJumpLe
	opJumpEqK // if A == k
	opJumpNeK
	opJumpLtK
	opJumpGtK
	opJumpAny    // if A & k != 0
	opJumpNone   // if A & k == 0
	opJumpDiffer // if any of the c words from A on differs from those from B on

	opRegRead   // A = register c at B
	opRegRead2  // two words
	opRegReads  // the c reads from number a on, of row B of rows k
	opRegWrite  // register c at B = A & k
	opRegWriteK // register c at B = k
	opRegWrite2 // two words
	opCount     // counter c at A
	opCalc      // A = calculation c
	opRemove    // the header of k bytes at A is invalid
	opTable     // apply table c
	opTableBy   // the same, with an action profile or meters
	opLoop      // a way back: count it; to bc when k is exceeded

	opHeader    // extract: a header at A, with the c loads from number b on; its bytes and, above 32 bits, its rank are k
	opLoad      // A = 8 bytes at b of the header >> c & k
	opLoadShort // A = c bits at bit b of the header
	opPeek      // A = c bits at bit b of what is not parsed, if that has k bytes
	opPick      // select c
	opParse     // parser operation c
	opReject    // end with the parser error A
	opAccept    // end the parser

	opCall      // closure c
	opWord      // A = number c
	opJumpNot   // if condition c is false
	opNode      // node c, and where it goes
	opCheckExit // end if the packet has to exit
	opWrong     // a checksum is wrong
	opEnd
)

// inst is one instruction.
type inst struct {
	op      opcode
	a, b, c uint16
	k       uint64
}

// maxFlatWords is the number of words, registers, tables and so on that an instruction can name.
const maxFlatWords = 1 << 16

// flatWords is the state of a packet as flat code sees it.
type flatWords = [maxFlatWords]uint64

// flatCode is a program's fast form.
type flatCode struct {
	code   []inst
	parser int   // where the parser starts; pipelines start where their first node does
	states []int // where each parser state starts
	verify int   // where the checksums are verified, and updated
	update int

	calls  []op
	words  []narrowFn
	conds  []boolFn
	parses []parserOp
	picks  []func(*packet) (int, int)
	calcs  []calcFn
	nodes  []*node
	loads  []flatLoad
	reads  []flatRead
	tables []flatTable
	std    stdFields // those that are read
}

// flatTable is what an instruction needs to apply a table.
type flatTable struct {
	index   int // of the table
	words   int
	parts   []keyPart
	counted bool
	ages    bool
	hit     []int         // by the action's slot: where to go on
	miss    []int         // by slot + 1
	program *tableProgram // opTableBy
	empty   []int         // opTableBy: where to go on after a hit on an empty group
}
