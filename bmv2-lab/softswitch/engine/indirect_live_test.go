package engine

import (
	"sync"
	"testing"
)

// TestIndirectDoesNotAllocate takes packets through profiles, groups, meters and value sets.
func TestIndirectDoesNotAllocate(t *testing.T) {
	sw := load(t, "testdata/indirect.json")
	prepareIndirect(t, sw)
	one, _ := sw.ValueSet("P.one")
	must(t, one.Set([][]Match{{exact(1, 2)}, {ternary([]byte{0x10, 0}, []byte{0xf0, 0})}}))
	m, _ := sw.Meter("I.m")
	must(t, m.SetRates(1, MeterRates{CIR: 1, CBurst: 1, PIR: 1, PBurst: 1}))
	var out discard
	for op := byte(1); op <= 8; op++ {
		frame := unhex(t, indirectFrame(op, 1, 0x0102, 1))
		sw.Process(0, 3, frame, &out)
		if n := testing.AllocsPerRun(100, func() { sw.Process(1, 3, frame, &out) }); n > 0 {
			t.Errorf("op %d: %v allocations", op, n)
		}
	}
}

// TestGroupsChangeWhileForwarding finds in every packet one of the members that the group has
// at some time, and never none, although a port that some watch goes down and up.
func TestGroupsChangeWhileForwarding(t *testing.T) {
	sw := load(t, "testdata/indirect.json")
	p, table := mustProfile(t, sw, "I.as"), mustTable(t, sw, "I.t_selector")
	for id := range uint32(3) {
		must(t, p.AddMember(id, "I.set1", param(0xb0)))
	}
	must(t, p.AddGroup(1, []GroupMember{{ID: 0, Weight: 1}}))
	must(t, table.Insert(toGroup(1, lpm(8, 1))))
	set, _ := sw.ValueSet("P.one")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	check := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			check(p.ModifyGroup(1, []GroupMember{{ID: uint32(i % 3), Weight: 1 + i%4, Watched: true, Watch: 7}, {ID: uint32(i+1) % 3, Weight: 1}}))
			check(p.ModifyMember(uint32(i%3), "I.set1", param(byte(0xb0+i%8))))
			check(set.Set([][]Match{{exact(1, byte(i))}}))
		}
	})
	wg.Go(func() {
		for down := true; ; down = !down {
			select {
			case <-stop:
				return
			default:
				sw.SetPortsDown(map[uint32]bool{7: down})
			}
		}
	})
	for i := range 5000 {
		got := outs(t, sw, 5, 1, uint16(i), uint32(i))
		if got < "b0aa" || got > "b7aa" {
			t.Errorf("packet %d: %s", i, got)
			break
		}
		outs(t, sw, 1, 0, uint16(256+i%256), 0)
	}
	close(stop)
	wg.Wait()
}
