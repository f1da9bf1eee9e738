package history

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/s2"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// A part in the file. docs/formats/history.md draws its bytes.

// Flags of a state.
const (
	flagEnded     = 1 << iota // it has an end
	flagKnown                 // the end's time is when it happened
	flagFollowed              // the end is the beginning of the object's next state in this part, and not written
	flagOverruled             // until is written: it is not when the end happened
)

// summed begins a part that ends with a sum of its bytes. Those of before sums begin with the number of their words.
const summed = 0

// sums are CRC-32C.
var sums = crc32.MakeTable(crc32.Castagnoli)

// unsealed gives a part without what protects it.
func unsealed(data []byte) ([]byte, error) {
	if len(data) == 0 || data[0] != summed {
		return data, nil
	}
	end := len(data) - crc32.Size
	if end < 1 || crc32.Checksum(data[:end], sums) != binary.BigEndian.Uint32(data[end:]) {
		return nil, fmt.Errorf("%w: part of %d bytes with another sum", ErrCorrupt, len(data))
	}
	return data[1:end], nil
}

// packer writes parts one after the other; what it gives is overwritten by the next.
type packer struct{ out, body, block []byte }

// pack gives the bytes of a part.
func (to *packer) pack(p *part, w words) []byte {
	out := binary.AppendUvarint(append(to.out[:0], summed), w.number)
	out = binary.AppendUvarint(out, uint64(len(p.states)))
	var event, commit, endCommit int64
	for i := range p.states {
		s := &p.states[i]
		flags, follower := byte(0), p.follower(i)
		if s.ended() {
			flags |= flagEnded
			if follower != nil && s.endEvent == follower.event && s.endCommit == follower.commit && s.endKnown {
				flags |= flagFollowed
			}
		}
		if s.endKnown {
			flags |= flagKnown
		}
		if s.until != s.endEvent {
			flags |= flagOverruled
		}
		out = binary.AppendUvarint(append(out, flags), uint64(s.object))
		out = binary.AppendVarint(out, s.event-event)
		out = binary.AppendVarint(out, s.commit-commit)
		if flags&(flagEnded|flagFollowed) == flagEnded {
			out = binary.AppendVarint(out, s.endCommit-endCommit)
			out = binary.AppendVarint(out, s.endEvent-s.endCommit)
			endCommit = s.endCommit
		}
		if flags&flagOverruled != 0 {
			out = binary.AppendVarint(out, s.until-s.event)
		}
		out = binary.AppendUvarint(out, uint64(len(s.text)))
		event, commit = s.event, s.commit
	}
	to.body = p.body(to.body[:0])
	if most := s2.MaxEncodedLen(len(to.body)); len(to.block) < most {
		to.block = make([]byte, most)
	}
	out = append(out, w.dict.Encode(to.block, to.body)...)
	to.out = binary.BigEndian.AppendUint32(out, crc32.Checksum(out, sums))
	return to.out
}

// body appends what is compressed of a part: the names of its objects, and the facts.
func (p *part) body(body []byte) []byte {
	body = binary.AppendUvarint(body, uint64(len(p.objects)))
	for _, r := range p.objects {
		body = append(body, byte(codeOf(r.Kind)))
		for _, s := range []string{r.Cluster, r.ID} {
			body = append(binary.AppendUvarint(body, uint64(len(s))), s...)
		}
	}
	for i := range p.states {
		body = append(body, p.states[i].text...)
	}
	return body
}

// follower is the next state of the same object.
func (p *part) follower(i int) *state {
	for n := i + 1; n < len(p.states); n++ {
		if p.states[n].object == p.states[i].object {
			return &p.states[n]
		}
	}
	return nil
}

// unpacker reads parts one after the other; what it gives is overwritten by the next.
type unpacker struct {
	vocabulary vocabulary
	sums       bool // decode gives the sums of facts too
	p          part // its objects are those of whole parts
	named      []named
	cluster    string // of the last object: mostly that of the next too
	lengths    []int
	packed     []byte // the rest of the part, its body
	dict       *s2.Dict
	plain      []byte
}

// named is an object as a part has it.
type named struct {
	kind        inventory.Kind
	cluster, id []byte
}

// times reads when a part's states were, without the objects and facts.
func (u *unpacker) times(data []byte) error {
	data, err := unsealed(data)
	if err != nil {
		return err
	}
	in := input{rest: data}
	number, count := in.uvarint(), in.uvarint()
	if u.dict = u.vocabulary[number]; u.dict == nil {
		return fmt.Errorf("%w: part with the words %d, which are not there", ErrCorrupt, number)
	}
	if in.bad || count > uint64(len(in.rest)) {
		return fmt.Errorf("%w: part of %d states in %d bytes", ErrCorrupt, count, len(data))
	}
	u.p.states, u.lengths = u.p.states[:0], u.lengths[:0]
	var flags [4 * fullStates]byte
	all := flags[:0]
	var event, commit, endCommit int64
	for range count {
		f := in.octet()
		s := state{object: int(in.uvarint()), event: event + in.varint(), commit: commit + in.varint(),
			endEvent: open, endCommit: open, endKnown: f&flagKnown != 0}
		if f&(flagEnded|flagFollowed) == flagEnded {
			s.endCommit = endCommit + in.varint()
			s.endEvent, endCommit = s.endCommit+in.varint(), s.endCommit
		}
		if s.until = s.endEvent; f&flagOverruled != 0 {
			s.until = s.event + in.varint()
		}
		event, commit = s.event, s.commit
		u.p.states, all, u.lengths = append(u.p.states, s), append(all, f), append(u.lengths, int(in.uvarint()))
	}
	for i := range u.p.states {
		if all[i]&flagFollowed == 0 {
			continue
		}
		s, next := &u.p.states[i], u.p.follower(i)
		if next == nil {
			in.bad = true
			break
		}
		if s.endEvent, s.endCommit = next.event, next.commit; all[i]&flagOverruled == 0 {
			s.until = next.event
		}
	}
	if in.bad {
		return fmt.Errorf("%w: part with impossible times", ErrCorrupt)
	}
	u.packed = in.rest
	return nil
}

// body completes what times read, but for the objects, which it leaves as they are.
func (u *unpacker) body() error {
	var err error
	if u.plain, err = u.dict.Decode(u.plain, u.packed); err != nil {
		return fmt.Errorf("%w: part: %w", ErrCorrupt, err)
	}
	in := input{rest: u.plain}
	u.named = u.named[:0]
	for range in.uvarint() {
		code := int(in.octet())
		if code < 1 || code >= len(kindCodes) || in.bad {
			return fmt.Errorf("%w: part with an object of kind %d", ErrCorrupt, code)
		}
		u.named = append(u.named, named{kindCodes[code], in.take(in.uvarint()), in.take(in.uvarint())})
	}
	for i := range u.p.states {
		s := &u.p.states[i]
		if s.text = in.take(uint64(u.lengths[i])); s.object >= len(u.named) {
			in.bad = true
		}
	}
	if in.bad || len(in.rest) > 0 {
		return fmt.Errorf("%w: part with facts of another length than it says", ErrCorrupt)
	}
	return nil
}

// ref gives an object of the part that body read.
func (u *unpacker) ref(object int) inventory.Ref {
	n := &u.named[object]
	if u.cluster != string(n.cluster) {
		u.cluster = string(n.cluster)
	}
	return inventory.Ref{Kind: n.kind, Cluster: u.cluster, ID: string(n.id)}
}

// part reads a part, which is good until the next is read.
func (u *unpacker) part(data []byte) (*part, error) {
	if err := u.times(data); err != nil {
		return nil, err
	}
	if err := u.body(); err != nil {
		return nil, err
	}
	u.p.objects = u.p.objects[:0]
	for i := range u.named {
		u.p.objects = append(u.p.objects, u.ref(i))
	}
	return &u.p, nil
}

// unpack reads a part that is the caller's own.
func unpack(data []byte, v vocabulary) (*part, error) {
	u := unpacker{vocabulary: v}
	return u.part(data)
}

// input reads bytes; it gives nothing and is bad after their end.
type input struct {
	rest []byte
	bad  bool
}

func (in *input) octet() byte {
	if b := in.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (in *input) take(n uint64) []byte {
	if n > uint64(len(in.rest)) {
		in.bad, in.rest = true, nil
		return nil
	}
	taken := in.rest[:n:n]
	in.rest = in.rest[n:]
	return taken
}

func (in *input) uvarint() uint64 {
	v, n := binary.Uvarint(in.rest)
	if in.take(uint64(max(n, 1))); n <= 0 {
		in.bad = true
	}
	return v
}

func (in *input) varint() int64 {
	v, n := binary.Varint(in.rest)
	if in.take(uint64(max(n, 1))); n <= 0 {
		in.bad = true
	}
	return v
}
