package engine

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"

	"github.com/gaissmai/bart"
)

// prefixIndex finds the longest prefix in a trie. The exact fields of a key stand in front of
// its prefix: all entries have the same number of their bits, so the longest match of the
// whole is the one of the prefix. The trie is one for IP addresses; a key of at most 32 bits
// is made an IPv4 address and a longer one an IPv6 address, filled up on the right.
type prefixIndex struct {
	fields []prefixField
	exact  int // bits in front of the prefix
	short  bool
	trie   atomic.Pointer[bart.Table[*entry]]
}

// prefixField is where a key field stands in the address.
type prefixField struct {
	word  int // of the key
	width int
	at    int // bits from the left
}

// newPrefixIndex is nil for keys of more than 128 bits.
func newPrefixIndex(tp *tableProgram) *prefixIndex {
	x := &prefixIndex{}
	add := func(k *tableKey) {
		x.fields = append(x.fields, prefixField{k.word, k.src.Width, x.exact})
		x.exact += k.src.Width
	}
	for i := range tp.keys {
		if i != tp.lpm {
			add(&tp.keys[i])
		}
	}
	add(&tp.keys[tp.lpm])
	if x.exact > 128 {
		return nil
	}
	x.short = x.exact <= 32
	x.exact -= tp.keys[tp.lpm].src.Width
	x.trie.Store(&bart.Table[*entry]{})
	return x
}

// address is a key as an IP address.
func (x *prefixIndex) address(key []uint64) netip.Addr {
	if x.short {
		var v uint32
		for _, f := range x.fields {
			v |= uint32(key[f.word] << (32 - f.at - f.width))
		}
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], v)
		return netip.AddrFrom4(b)
	}
	var high, low uint64
	for _, f := range x.fields {
		v := key[f.word]
		var top uint64
		if f.width > 64 {
			top = key[f.word+1]
		}
		// v and top are shifted left by the number of bits behind the field.
		switch by := 128 - f.at - f.width; {
		case by >= 64:
			high |= v << (by - 64)
		default:
			low |= v << by
			high |= top<<by | v>>1>>(63-by)
		}
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], high)
	binary.BigEndian.PutUint64(b[8:], low)
	return netip.AddrFrom16(b)
}

func (x *prefixIndex) prefix(e *entry) netip.Prefix {
	return netip.PrefixFrom(x.address(e.key), x.exact+int(e.rank))
}

func (x *prefixIndex) find(key []uint64) *entry {
	e, _ := x.trie.Load().Lookup(x.address(key))
	return e
}

func (x *prefixIndex) insert(e *entry) {
	x.trie.Store(x.trie.Load().InsertPersist(x.prefix(e), e))
}

func (x *prefixIndex) remove(e *entry) {
	x.trie.Store(x.trie.Load().DeletePersist(x.prefix(e)))
}
