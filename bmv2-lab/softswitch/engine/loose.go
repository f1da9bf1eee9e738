package engine

// looseHeader is a header whose variable-length field does not start on a byte. It is read
// and written bit by bit.
type looseHeader struct {
	prefix []unit
	suffix []unit // bits count from the end of the variable-length field on
	split  int    // bit where that field starts
}

// read takes the fields from data, which is long enough; bits is the length of the
// variable-length field, a multiple of 8, and what it holds is appended to content.
func (l *looseHeader) read(words []uint64, base int, data []byte, bits int, content []byte) []byte {
	for _, u := range l.prefix {
		words[base+u.word] = bitsAt(data, u.bit, u.n)
	}
	for at := 0; at < bits; at += 8 {
		content = append(content, byte(bitsAt(data, l.split+at, 8)))
	}
	for _, u := range l.suffix {
		words[base+u.word] = bitsAt(data, l.split+bits+u.bit, u.n)
	}
	return content
}

// write appends the header to out.
func (l *looseHeader) write(out []byte, words []uint64, base int, content []byte) []byte {
	w := bitWriter{buf: out}
	for _, u := range l.prefix {
		w.put(words[base+u.word], u.n)
	}
	w.constant(content, 8*len(content))
	for _, u := range l.suffix {
		w.put(words[base+u.word], u.n)
	}
	return w.buf
}
