package stf

import (
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// pattern is a number some of whose digits may be "*".
type pattern struct {
	text    string
	value   *big.Int // with 0 for "*"
	mask    *big.Int // the bits of the digits that are given
	given   int      // bits of the digits that are given
	stars   bool
	inner   bool // a "*" has a digit behind it
	decimal bool // the digits say nothing about bits
}

// parsePattern reads a number: 0x…, 0b…, 0o…, decimal, or an address (IPv4, IPv6 or MAC).
func parsePattern(text string) (pattern, error) {
	p := pattern{text: text, value: new(big.Int), mask: new(big.Int)}
	if b, ok := address(text); ok {
		p.value.SetBytes(b)
		p.decimal = true
		return p, nil
	}
	if len(text) > bmjson.MaxWidth {
		return p, fmt.Errorf("a number of %d digits is too long", len(text))
	}
	base, ok := bases()[strings.ToLower(text[:min(2, len(text))])]
	if !ok {
		p.decimal = true
		if _, ok := p.value.SetString(text, 10); !ok || strings.ContainsAny(text, "+-") {
			return p, fmt.Errorf("%q is not a number", text)
		}
		return p, nil
	}
	digits := text[2:]
	if _, ok := p.value.SetString(strings.ReplaceAll(digits, "*", "0"), base.radix); !ok || strings.ContainsAny(digits, "+-") {
		return p, fmt.Errorf("%q is not a number", text)
	}
	p.mask.SetString(strings.Map(func(digit rune) rune {
		if digit == '*' {
			return '0'
		}
		return base.highest
	}, digits), base.radix)
	stars := strings.Count(digits, "*")
	p.stars = stars > 0
	p.inner = !strings.HasSuffix(digits, strings.Repeat("*", stars))
	p.given = base.bits * (len(digits) - stars)
	return p, nil
}

// base is how digits stand for bits.
type base struct {
	radix   int
	bits    int // of a digit
	highest rune
}

// bases leads from a number's prefix to its base.
func bases() map[string]base {
	return map[string]base{"0x": {16, 4, 'f'}, "0b": {2, 1, '1'}, "0o": {8, 3, '7'}}
}

// address reads an address as simple_switch_CLI takes them.
func address(text string) ([]byte, bool) {
	if strings.Count(text, ".") == 3 || strings.Contains(text, "::") {
		if a, err := netip.ParseAddr(text); err == nil {
			return a.AsSlice(), true
		}
	}
	if strings.Count(text, ":") == 5 {
		if m, err := net.ParseMAC(text); err == nil {
			return m, true
		}
	}
	return nil, false
}

// parseNumber reads a number without "*" that fits width bits.
func parseNumber(text string, width int) ([]byte, error) {
	p, err := parsePattern(text)
	if err != nil {
		return nil, err
	}
	if p.stars {
		return nil, fmt.Errorf("%s: a \"*\" is not possible here", text)
	}
	return p.bytes(width)
}

func (p pattern) bytes(width int) ([]byte, error) {
	if n := p.value.BitLen(); n > width {
		return nil, fmt.Errorf("%s needs %d bits, and there are %d", p.text, n, width)
	}
	return bigBytes(p.value), nil
}

// bigBytes is big-endian and never empty.
func bigBytes(v *big.Int) []byte {
	if v.Sign() == 0 {
		return []byte{0}
	}
	return v.Bytes()
}

// ones has the low n bits set.
func ones(n int) *big.Int {
	v := new(big.Int).Lsh(big.NewInt(1), uint(n))
	return v.Sub(v, big.NewInt(1))
}

// anyMatch is what a key is that an entry leaves out: p4c's runner takes 0 for exact ones.
func anyMatch(k key) engine.Match {
	if k.kind == engine.MatchExact {
		return engine.Match{Kind: k.kind, Value: []byte{0}}
	}
	return engine.Match{Kind: k.kind, Any: true}
}

// parseMatch reads the condition on a key.
func parseMatch(k key, text string) (engine.Match, error) {
	switch k.kind {
	case engine.MatchLPM:
		return lpmMatch(k, text)
	case engine.MatchTernary:
		return ternaryMatch(k, text)
	case engine.MatchRange:
		return rangeMatch(k, text)
	}
	v, err := parseNumber(text, k.width)
	return engine.Match{Kind: k.kind, Value: v}, err
}

// lpmMatch takes VALUE/BITS, or a value whose given digits are the prefix; decimal ones have
// no such digits and are a prefix of full length. Bits behind the prefix do not count.
func lpmMatch(k key, text string) (engine.Match, error) {
	m := engine.Match{Kind: k.kind}
	digits, length, cut := strings.Cut(text, "/")
	p, err := parsePattern(digits)
	if err != nil {
		return m, err
	}
	if p.inner {
		return m, fmt.Errorf("%s: a digit behind a \"*\" is not part of a prefix", text)
	}
	if _, err := p.bytes(k.width); err != nil {
		return m, err
	}
	switch {
	case cut:
		n, err := parseNumber(length, 16)
		if err != nil {
			return m, fmt.Errorf("prefix length: %w", err)
		}
		m.PrefixLen = int(new(big.Int).SetBytes(n).Int64())
		if m.PrefixLen > k.width {
			return m, fmt.Errorf("a prefix of %d bits, and the field has %d", m.PrefixLen, k.width)
		}
	case p.decimal:
		m.PrefixLen = k.width
	default:
		m.PrefixLen = min(p.given, k.width)
	}
	rest := uint(k.width - m.PrefixLen)
	m.Value = bigBytes(new(big.Int).Lsh(new(big.Int).Rsh(p.value, rest), rest))
	m.Any = m.PrefixLen == 0
	return m, nil
}

// ternaryMatch takes VALUE&&&MASK, or a value whose given digits count; of a decimal one all
// bits do.
func ternaryMatch(k key, text string) (engine.Match, error) {
	m := engine.Match{Kind: k.kind}
	digits, mask, cut := strings.Cut(text, "&&&")
	p, err := parsePattern(digits)
	if err != nil {
		return m, err
	}
	if _, err := p.bytes(k.width); err != nil {
		return m, err
	}
	switch {
	case cut:
		v, err := parseNumber(mask, k.width)
		if err != nil {
			return m, fmt.Errorf("mask: %w", err)
		}
		p.mask.SetBytes(v)
	case p.decimal:
		p.mask = ones(k.width)
	}
	p.mask.And(p.mask, ones(k.width))
	m.Any = p.mask.Sign() == 0
	m.Value, m.Mask = bigBytes(p.value.And(p.value, p.mask)), bigBytes(p.mask)
	return m, nil
}

// rangeMatch takes LOW->HIGH or LOW..HIGH, or one value.
func rangeMatch(k key, text string) (engine.Match, error) {
	m := engine.Match{Kind: k.kind}
	low, high, cut := strings.Cut(strings.Replace(text, "..", "->", 1), "->")
	if !cut {
		high = low
	}
	var err error
	if m.Value, err = parseNumber(low, k.width); err != nil {
		return m, err
	}
	if m.High, err = parseNumber(high, k.width); err != nil {
		return m, err
	}
	if new(big.Int).SetBytes(m.Value).Cmp(new(big.Int).SetBytes(m.High)) > 0 {
		return m, fmt.Errorf("%s: the low bound is above the high one", text)
	}
	return m, nil
}
