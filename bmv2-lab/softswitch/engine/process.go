package engine

// The instance types of v1model's standard_metadata.
const (
	typeNormal       = 0
	typeIngressClone = 1
	typeEgressClone  = 2
	typeRecirculated = 4
	typeReplication  = 5
	typeResubmitted  = 6
)

// maxPasses bounds how often one frame may go through ingress, by resubmission and
// recirculation, and be copied at the end of egress, by itself and copies of it.
const maxPasses = 1024

// Process takes one frame that arrived at port at the time now (µs since the switch started)
// through the program; the frame is only read, and not kept. One goroutine at a time.
func (s *Switch) Process(now uint64, port uint32, frame []byte, out Output) {
	b := s.BeginBatch(out)
	b.Process(now, port, frame)
	b.End()
}

// Batch is a run of frames, from BeginBatch to End. Control operations that need the state wait for
// its end, so it should be short.
type Batch struct {
	s   *Switch
	out Output
}

// BeginBatch takes the state for a batch, whose results go to out. The goroutine that does must not
// call Process, nor read or write counters, meters and registers, before it has called End.
func (s *Switch) BeginBatch(out Output) Batch {
	s.state.Lock()
	return Batch{s, out}
}

// Process is as Switch.Process, but that packets may wait in the queues of Options.Queues.
func (b Batch) Process(now uint64, port uint32, frame []byte) {
	s := b.s
	s.now = now
	p := s.get()
	p.start(now, port, frame)
	std := s.std
	std.ingressPort.set(p, uint64(port))
	std.packetLength.set(p, uint64(len(frame)))
	std.ingressTime.set(p, now)
	if s.queues == nil {
		s.passes = 0
	}
	s.passes += maxPasses - 1
	s.ingress(p, b.out)
	s.ingressAgain(b.out)
}

// End empties the queues and gives the state back.
func (b Batch) End() {
	s := b.s
	for s.queues != nil && s.queues.packets > 0 {
		s.serve(b.out)
		s.ingressAgain(b.out)
	}
	s.passes = 0
	s.state.Unlock()
}

// ingressAgain takes the packets that wait for it through ingress.
func (s *Switch) ingressAgain(out Output) {
	for i := 0; i < len(s.work); i++ {
		if !s.mayPass() {
			s.put(s.work[i])
			continue
		}
		s.ingress(s.work[i], out)
	}
	s.work = s.work[:0]
}

// mayPass books one more pass.
func (s *Switch) mayPass() bool {
	if s.passes == 0 {
		s.stats.PassLimit++
		return false
	}
	s.passes--
	return true
}

// get takes a packet from the free list.
func (s *Switch) get() *packet {
	p := s.free
	if p == nil {
		return newPacket(s)
	}
	s.free = p.next
	p.next = nil
	return p
}

func (s *Switch) put(p *packet) {
	p.next, p.frame = s.free, nil
	s.free = p
}

// ingress takes a packet through the parser, the ingress pipeline and what v1model does at
// its end: clone, digest, resubmit, multicast, unicast, in this order. It owns p.
func (s *Switch) ingress(p *packet, out Output) {
	std, trace := s.std, s.opt.Trace != nil
	p.checksum = false
	if trace {
		s.traceFrame(p)
	}
	code := p.parse()
	if trace {
		s.traceParsed(p, code)
	}
	if p.aborted {
		s.put(p)
		return
	}
	s.prog.verifyChecksums(p)
	std.parserError.set(p, uint64(code))
	if p.checksum {
		std.checksumError.set(p, 1)
	} else {
		std.checksumError.set(p, 0)
	}
	if trace {
		s.traceChecksums(p)
	}
	p.runPipeline(s.prog.ingress)
	if p.aborted {
		s.traceAbort(p, "ingress")
		s.put(p)
		return
	}
	p.exit = false
	if p.clone != 0 {
		s.cloneIngress(p, out)
	}
	if p.digest != 0 {
		s.raise(p, out)
	}
	spec := p.words[std.egressSpec.off]
	var group uint64
	if std.mcastGroup.ok {
		group = p.words[std.mcastGroup.off]
	}
	if trace {
		s.traceDecision(p, spec, group)
	}
	switch {
	case p.resubmit != 0:
		s.resubmit(p)
	case group != 0:
		std.instanceType.set(p, typeReplication)
		s.multicast(p, uint16(group), out)
		s.put(p)
	case spec == uint64(s.opt.DropPort):
		s.put(p)
	default:
		std.instanceType.set(p, typeNormal)
		s.toEgress(p, uint32(spec), out)
	}
}

func (prog *Program) verifyChecksums(p *packet) {
	if prog.flat != nil {
		p.runFlat(prog.flat.verify)
		return
	}
	for i := range prog.verify {
		k := &prog.verify[i]
		if p.isValid(k.header) && (k.cond == nil || k.cond(p)) {
			p.checksum = p.checksum || !k.holds(p, k.value(p))
		}
	}
}

func (prog *Program) updateChecksums(p *packet) {
	if prog.flat != nil {
		if len(prog.update) > 0 {
			p.runFlat(prog.flat.update)
		}
		return
	}
	for i := range prog.update {
		k := &prog.update[i]
		if k.cond == nil || k.cond(p) {
			k.set(p, k.value(p))
		}
	}
}

// holds says whether the field has a value.
func (k *checksum) holds(p *packet, v uint64) bool {
	return p.words[k.off] == v && wideIsZero(p.words[k.off+1:k.end])
}

func (k *checksum) set(p *packet, v uint64) {
	p.words[k.off] = v & k.mask
	clear(p.words[k.off+1 : k.end])
}

// multicast sends a copy to every replica of a group.
func (s *Switch) multicast(p *packet, group uint16, out Output) {
	s.replicate(p, s.replication.Load().groups[group], 0, out)
}

func (s *Switch) replicate(p *packet, to []Replica, truncate uint32, out Output) {
	for i := range to {
		r := &to[i]
		if len(r.Backups) > 0 {
			r = r.live(s.portsDown())
		}
		q := s.get()
		q.copyFrom(p)
		if truncate > 0 {
			q.truncate = int(min(truncate, 1<<30))
		}
		s.std.egressRid.set(q, uint64(r.Instance))
		s.toEgress(q, r.Port, out)
	}
}

// cloneIngress sends copies of the frame as it came in, parsed anew, to a session's replicas.
func (s *Switch) cloneIngress(p *packet, out Output) {
	session, ok := s.replication.Load().clones[uint16(p.clone-1)]
	list := p.cloneList
	if s.opt.Trace != nil {
		s.traceClone(p, session, ok, "ingress")
	}
	p.clone = 0
	if !ok {
		return
	}
	q := s.get()
	q.start(p.now, p.port, p.frame)
	q.inLength = p.inLength
	s.std.ingressPort.set(q, uint64(p.port))
	q.parse()
	s.keep(q, p, list, typeIngressClone)
	q.length = len(p.frame)
	s.replicate(q, session.Replicas, session.Truncate, out)
	s.put(q)
}

// keep gives a copy the metadata of a field list and nothing else.
func (s *Switch) keep(q, p *packet, list int, instanceType uint64) {
	q.clearMetadata()
	for _, f := range s.prog.fieldLists[list] {
		copy(q.words[f.off:f.off+f.words], p.words[f.off:f.off+f.words])
	}
	s.std.instanceType.set(q, instanceType)
}

// resubmit queues the frame as it came in for ingress. It owns p.
func (s *Switch) resubmit(p *packet) {
	list := p.resubmit - 1
	q := s.get()
	q.start(p.now, p.port, p.frame)
	q.inLength = p.inLength
	s.keep(q, p, list, typeResubmitted)
	s.std.packetLength.set(q, uint64(len(p.frame)))
	q.inBuf, p.inBuf = p.inBuf, q.inBuf // a recirculated frame is in there
	s.work = append(s.work, q)
	s.put(p)
}

// raise hands the packet's digest over.
func (s *Switch) raise(p *packet, out Output) {
	d := &s.prog.digests[p.digest-1]
	p.digest = 0
	buf := p.buf[:0]
	if cap(buf) < d.bytes {
		buf = make([]byte, 0, d.bytes)
	}
	buf = buf[:d.bytes]
	values := p.values[:0]
	at := 0
	for i, f := range d.from {
		v := buf[at : at+(d.fields[i].Width+7)/8]
		at += len(v)
		if f.value != nil {
			copy(v, f.value)
		} else {
			wordsToBytes(v, p.words[f.off:f.off+f.words])
		}
		values = append(values, canonical(v))
	}
	p.buf, p.values = buf, values
	if s.opt.Trace != nil {
		s.traceDigest(p, d, values)
	}
	out.Digest(Digest{ID: d.id, Name: d.name, Values: values})
}

// egress takes a packet through the egress pipeline and the deparser. It owns p.
func (s *Switch) egress(p *packet, port uint32, out Output) {
	std := s.std
	std.egressTime.set(p, p.now)
	std.egressPort.set(p, uint64(port))
	std.egressSpec.set(p, uint64(s.opt.DropPort)+1)
	std.packetLength.set(p, uint64(p.length))
	if s.opt.Trace != nil {
		p.say("egress: port %d", port)
	}
	p.runPipeline(s.prog.egress)
	if p.aborted {
		s.traceAbort(p, "egress")
		s.put(p)
		return
	}
	if p.clone == 0 {
		s.leave(p, port, out)
		return
	}
	copies, session := s.copyEgress(p)
	s.leave(p, port, out)
	if copies != nil {
		s.replicate(copies, session.Replicas, session.Truncate, out)
		s.put(copies)
	}
}

// leave drops, recirculates or transmits a packet at the end of its egress. It owns p.
func (s *Switch) leave(p *packet, port uint32, out Output) {
	if p.words[s.std.egressSpec.off] == uint64(s.opt.DropPort) {
		if s.opt.Trace != nil {
			p.say("egress: drop")
		}
		s.put(p)
		return
	}
	frame := s.deparse(p)
	if s.opt.Trace != nil {
		s.traceFrameOut(p, port, frame)
	}
	if p.recirc != 0 {
		s.recirculate(p, frame)
		return
	}
	out.Transmit(port, frame)
	s.put(p)
}

// copyEgress takes a copy with the headers as they are, for the replicas of a session; nil if
// there is no such session. In BMv2 copies join the queue of their port's egress, so they leave
// after the packet.
func (s *Switch) copyEgress(p *packet) (*packet, CloneSession) {
	session, ok := s.replication.Load().clones[uint16(p.clone-1)]
	list := p.cloneList
	if s.opt.Trace != nil {
		s.traceClone(p, session, ok, "egress")
	}
	p.clone = 0
	if !ok || !s.mayPass() {
		return nil, session
	}
	q := s.get()
	q.copyFrom(p)
	s.keep(q, p, list, typeEgressClone)
	return q, session
}

// deparse updates the checksums and puts the frame together.
func (s *Switch) deparse(p *packet) []byte {
	s.prog.updateChecksums(p)
	for _, f := range s.prog.calls {
		p.params = nil
		f(p)
	}
	buf := p.emit(p.outBuf[:0])
	p.outBuf = buf
	if p.truncate >= 0 && len(buf) > p.truncate {
		buf = buf[:p.truncate]
	}
	return buf
}

// recirculate queues the deparsed frame for ingress. It owns p.
func (s *Switch) recirculate(p *packet, frame []byte) {
	list := p.recirc - 1
	q := s.get()
	q.inBuf, p.outBuf = p.outBuf, q.inBuf // the frame is in there
	q.start(p.now, p.port, frame)
	s.keep(q, p, list, typeRecirculated)
	s.std.packetLength.set(q, uint64(len(frame)))
	s.work = append(s.work, q)
	s.put(p)
}
