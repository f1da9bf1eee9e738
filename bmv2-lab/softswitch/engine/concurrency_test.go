package engine

import (
	"errors"
	"sync"
	"testing"
)

// TestControlWhileForwarding writes everything that the control plane can write while frames
// pass; every frame finds either the old or the new entry, never none.
func TestControlWhileForwarding(t *testing.T) {
	sw := load(t, "testdata/match.json")
	lpmTable := mustTable(t, sw, "I.t_lpm")
	insert(t, lpmTable, set("count1", 1, 0, exact(2), lpm(8, 10, 0, 0, 0)))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	run := func(f func(i int) error) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					if err := f(i); err != nil {
						t.Error(err)
						return
					}
				}
			}
		}()
	}
	run(func(i int) error {
		m := lpm(32, 10, byte(i>>8), byte(i), 1)
		e := set("count1", 2, 0, exact(2), m)
		if err := lpmTable.Insert(e); err != nil {
			return err
		}
		e.Params = [][]byte{{3}}
		if err := lpmTable.Modify(e); err != nil {
			return err
		}
		return lpmTable.Delete(e.Match, 0)
	})
	run(func(i int) error {
		for e := range lpmTable.Entries() {
			if e.Counter == nil {
				return errors.New("an entry without a counter")
			}
		}
		if err := sw.SetMulticast(uint16(i%100+1), []Replica{{Port: 1, Instance: 1}}); err != nil {
			return err
		}
		_, err := lpmTable.Lookup([]Match{exact(2), lpm(8, 10, 0, 0, 0)}, 0)
		return err
	})
	var out recorder
	frame := unhex(t, matchFrame("02", "0000", "0a010001", ""))
	for i := range 20000 {
		out.reset()
		sw.Process(uint64(i), 1, frame, &out)
		if len(out.frames) != 1 || out.frames[0].frame[23] == 0 {
			t.Fatalf("frame %d missed every entry: %x", i, out.frames)
		}
	}
	close(stop)
	wg.Wait()
}
