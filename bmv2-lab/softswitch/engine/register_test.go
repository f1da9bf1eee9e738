package engine

import (
	"bytes"
	"testing"
)

// TestRegistersSideBySide looks at where the registers of our program are, and at neighbours
// while one of them is written.
func TestRegistersSideBySide(t *testing.T) {
	sw := load(t, ourProgram)
	cache, _ := sw.Register("FabricscopeIngress.flow_cache.key_meta")
	clock, _ := sw.Register("FabricscopeIngress.flow_cache.clock_offset")
	if rows := len(sw.Registers()) - 1; cache.row <= uint64(rows) || clock.row != clock.each {
		t.Errorf("rows of %d words for the cache, and of %d for the clock", cache.row, clock.row)
	}
	for i, r := range sw.Registers() {
		if err := r.Fill([]byte{byte(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	last := cache.Size() - 1
	if err := cache.Write(last, []byte{0xab}); err != nil {
		t.Fatal(err)
	}
	for i, r := range sw.Registers() {
		for _, at := range []int{0, r.Size() - 1} {
			want := []byte{byte(i + 1)}
			if r == cache && at == last {
				want = []byte{0xab}
			}
			if v, err := r.Read(at); err != nil || !bytes.Equal(v, want) {
				t.Errorf("%s[%d] = %x, %v; want %x", r.Name(), at, v, err, want)
			}
		}
		if _, err := r.Read(r.Size()); err == nil {
			t.Errorf("%s has a cell too many", r.Name())
		}
	}
}
