package engine

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// A trace tells what happens to a packet, a line for each event, for people to read. A switch
// with a trace runs a program of its own, closures that also tell what they do; the others
// have nothing of it but a comparison with nil at the ends of the pipelines.

// traced is the same program with closures that tell what they do.
func (prog *Program) traced() (*Program, error) { return compile(prog.src, true) }

// say hands a line of the trace over.
func (p *packet) say(format string, args ...any) { p.sw.opt.Trace(fmt.Sprintf(format, args...)) }

// hexDigits is a value of width bits in as many hexadecimal digits as that needs.
func hexDigits(v []uint64, width int) string {
	b := make([]byte, (width+7)/8)
	wordsToBytes(b, v)
	s := hex.EncodeToString(b)
	return s[len(s)-(width+3)/4:]
}

// fieldText is the value of a field that starts at a word.
func (p *packet) fieldText(f *fieldLayout, off int, vars []byte) string {
	if f.varbits {
		if len(vars) == 0 {
			return "-"
		}
		return hex.EncodeToString(vars)
	}
	return hexDigits(p.words[off:off+f.words], f.width)
}

// headerText lists the fields of a header.
func (p *packet) headerText(h *headerLayout, names []bmjson.Field) string {
	var b strings.Builder
	for i := range h.typ.fields {
		var vars []byte
		if h.varSlot >= 0 {
			vars = p.vars[h.varSlot]
		}
		f := &h.typ.fields[i]
		fmt.Fprintf(&b, " %s=%s", names[i].Name, p.fieldText(f, h.base+f.off, vars))
	}
	return b.String()
}

// errorName is the name of a parser error.
func (prog *Program) errorName(code int) string {
	for _, e := range prog.src.Errors {
		if e.Value == code {
			return e.Name
		}
	}
	if code == prog.errs.timeout {
		return "ParserTimeout"
	}
	return fmt.Sprintf("error %d", code)
}

func (s *Switch) traceFrame(p *packet) {
	how := ""
	if std := &s.prog.std; std.instanceType.ok {
		how = map[uint64]string{typeResubmitted: ", resubmitted", typeRecirculated: ", recirculated"}[p.words[std.instanceType.off]]
	}
	p.say("frame of %d bytes at port %d%s", len(p.frame), p.port, how)
}

func (s *Switch) traceParsed(p *packet, code int) {
	if code == s.prog.errs.none {
		p.say("parser: accept after %d of %d bytes", p.parsed, len(p.frame))
	} else {
		p.say("parser: error %s after %d of %d bytes", s.prog.errorName(code), p.parsed, len(p.frame))
	}
}

func (s *Switch) traceChecksums(p *packet) {
	if p.checksum {
		p.say("verify: a checksum is wrong")
	}
}

// traceDecision tells what becomes of a packet at the end of ingress.
func (s *Switch) traceDecision(p *packet, spec, group uint64) {
	switch {
	case p.resubmit != 0:
		p.say("ingress: resubmit")
	case group != 0:
		p.say("ingress: multicast group %d%s", group, s.replicasText(s.replication.Load().groups[uint16(group)]))
	case spec == uint64(s.opt.DropPort):
		p.say("ingress: drop")
	default:
		p.say("ingress: to port %d", spec)
	}
}

// traceAbort is for packets that are rare.
func (s *Switch) traceAbort(p *packet, pipeline string) {
	if s.opt.Trace != nil {
		p.say("%s: drop, an assertion failed or an action did not end", pipeline)
	}
}

func (s *Switch) replicasText(list []Replica) string {
	if len(list) == 0 {
		return ", which has no replicas"
	}
	var texts []string
	for i := range list {
		r := list[i].live(s.portsDown())
		texts = append(texts, fmt.Sprintf("port %d instance %d", r.Port, r.Instance))
	}
	return ": " + strings.Join(texts, ", ")
}

func (s *Switch) traceClone(p *packet, session CloneSession, ok bool, pipeline string) {
	if !ok {
		p.say("%s: clone to session %d, which is not there", pipeline, p.clone-1)
		return
	}
	p.say("%s: clone to session %d%s", pipeline, p.clone-1, s.replicasText(session.Replicas))
}

func (s *Switch) traceDigest(p *packet, d *digestList, values [][]byte) {
	var b strings.Builder
	for i, v := range values {
		fmt.Fprintf(&b, " %s=%x", d.fields[i].Name, v)
	}
	p.say("ingress: digest %s%s", d.name, b.String())
}

func (s *Switch) traceFrameOut(p *packet, port uint32, frame []byte) {
	if p.recirc != 0 {
		p.say("egress: recirculate %d bytes", len(frame))
	} else {
		p.say("transmit %d bytes out of port %d", len(frame), port)
	}
}
