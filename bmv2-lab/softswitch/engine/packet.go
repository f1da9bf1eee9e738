package engine

// packet is the state of one packet on its way through the program. It has one owner.
type packet struct {
	words []uint64 // see layout.go
	vars  [][]byte // contents of variable-length fields
	sw    *Switch
	prog  *Program

	frame  []byte // as it came in (or was recirculated)
	parsed int    // bytes of frame that the parser has consumed
	at     int    // where the header that is being extracted starts
	whole  bool   // the valid headers are what is parsed; see emit.go
	rank   int    // of the last header
	loops  uint64 // parser states on the way, where they can go round
	now    uint64 // µs

	registers []cells // the switch's, by index
	rows      []cells // the switch's
	lookups   []lookup

	params  []uint64  // of the action that runs
	key     []uint64  // scratch: table key
	buf     []byte    // scratch: input of a calculation
	outBuf  []byte    // the deparsed frame
	patches []patchAt // scratch: headers of it to be patched
	inBuf   []byte    // the memory of a recirculated frame
	kept    []byte    // that of the frame of a packet in a queue
	values  [][]byte  // of a digest

	port      uint32 // ingress port
	length    int    // BMv2's packet length register
	inLength  int    // what counters count
	truncate  int    // cut the frame to this; -1 is whole
	exit      bool
	aborted   bool // an action ran away, or an assertion failed
	jumps     int
	digest    int // learn list index + 1
	clone     int // clone session + 1
	cloneList int // field list index
	resubmit  int // field list index + 1
	recirc    int // field list index + 1
	checksum  bool
	next      *packet // free list
}

// maxJumps bounds the jumps that the actions of one packet may take.
const maxJumps = 1 << 16

// words is the length of the state. Flat code has all that an instruction can name, so that
// naming one needs no check; what lies behind the program's words is never touched.
func (prog *Program) words() int {
	if prog.flat != nil {
		return maxFlatWords
	}
	return prog.lay.cleared + prog.lay.scratch
}

func newPacket(sw *Switch) *packet {
	prog := sw.prog
	return &packet{
		words: make([]uint64, prog.words()),
		vars:  make([][]byte, prog.lay.varSlots),
		key:   make([]uint64, prog.maxKey),
		sw:    sw, prog: prog, registers: sw.cells, rows: sw.rows, lookups: sw.lookups,
	}
}

// start prepares for a new frame: all metadata 0, all headers invalid.
func (p *packet) start(now uint64, port uint32, frame []byte) {
	clear(p.words[:p.prog.lay.cleared])
	p.frame, p.parsed, p.now, p.port = frame, 0, now, port
	p.whole, p.rank = true, 0
	p.length, p.inLength, p.truncate = len(frame), len(frame), -1
	p.exit, p.aborted, p.jumps = false, false, 0
	p.digest, p.clone, p.cloneList, p.resubmit, p.recirc = 0, 0, 0, 0, 0
	for i := range p.vars {
		p.vars[i] = p.vars[i][:0]
	}
}

// copyFrom makes p the same packet as q, for a copy that goes on to egress.
func (p *packet) copyFrom(q *packet) {
	copy(p.words[:p.prog.lay.cleared], q.words)
	for i := range p.vars {
		p.vars[i] = append(p.vars[i][:0], q.vars[i]...)
	}
	p.frame, p.parsed, p.now, p.port = q.frame, q.parsed, q.now, q.port
	p.whole = q.whole
	p.length, p.inLength, p.truncate = q.length, q.inLength, -1
	p.exit, p.aborted, p.jumps = false, false, 0
	p.digest, p.clone, p.cloneList, p.resubmit, p.recirc = 0, 0, 0, 0, 0
}

// payload is what the parser has left of the frame.
func (p *packet) payload() []byte {
	rest := p.frame[p.parsed:]
	if p.truncate >= 0 && len(rest) > p.truncate {
		return rest[:p.truncate]
	}
	return rest
}

// clearMetadata sets all metadata to 0.
func (p *packet) clearMetadata() {
	for i := range p.prog.lay.headers {
		if h := &p.prog.lay.headers[i]; h.metadata {
			clear(p.words[h.base : h.base+h.typ.words])
		}
	}
}

// setValid marks a header valid; in a union, the others become invalid.
func (p *packet) setValid(h *headerLayout) {
	p.words[h.base] = 1
	if h.union >= 0 {
		for _, other := range p.prog.lay.unions[h.union] {
			if other != h.index {
				p.words[p.prog.lay.headers[other].base] = 0
			}
		}
	}
}

// isValid says whether a header is valid; metadata always is.
func (p *packet) isValid(h *headerLayout) bool { return h.metadata || p.words[h.base] != 0 }

// headerBytes is the length of a header on the wire.
func (p *packet) headerBytes(h *headerLayout) int {
	n := h.typ.bytes
	if h.varSlot >= 0 {
		n += len(p.vars[h.varSlot])
	}
	return n
}
