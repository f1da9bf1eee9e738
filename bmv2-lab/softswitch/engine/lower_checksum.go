package engine

// checksumCode lowers the checksums that are verified, or those that are updated, and
// returns its label.
func (l *lowerer) checksumCode(verify bool) int {
	start := l.here()
	for i := range l.src.Checksums {
		s := &l.src.Checksums[i]
		if (verify && !s.Verify) || (!verify && !s.Update) {
			continue
		}
		f, off := l.lay.field(s.Target)
		begin, done := l.newLabel(), l.newLabel()
		if h := &l.lay.headers[s.Target.Header]; verify && !h.metadata {
			l.jumpK(opJumpEqK, h.base, 0, done)
		}
		if s.Cond != nil {
			l.branch(s.Cond, begin, done, begin)
		}
		l.meet(begin)
		sum := l.slot()
		l.calculate(sum, s.Calculation)
		switch {
		case f.words > 1:
			l.wideChecksum(&checksum{off: off, end: off + f.words, mask: ^uint64(0)}, sum, verify)
		case verify:
			l.op3(opJumpEq, sum, off, 0, uint64(done))
			l.emit(inst{op: opWrong})
		default:
			l.move(off, l.masked(inWord(sum), 64, f.mask(), off))
		}
		l.place(done)
		l.statement()
	}
	l.emit(inst{op: opEnd})
	return int(start)
}

// wideChecksum lowers what is done with a sum if its field has several words.
func (l *lowerer) wideChecksum(k *checksum, sum int, verify bool) {
	if verify {
		l.call(func(p *packet) { p.checksum = p.checksum || !k.holds(p, p.words[sum]) })
	} else {
		l.call(func(p *packet) { k.set(p, p.words[sum]) })
	}
	l.read(sum)
}
