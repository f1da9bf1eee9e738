package ports

import (
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Impairment makes a port a bad wire. It acts on what the port sends, like the kernel's
// netem: to make a link bad both ways, set it at both ends.
type Impairment struct {
	// Loss, Duplicate and Reorder are shares of the frames, 0 to 1.
	Loss      float64 `json:"loss,omitempty"`
	Duplicate float64 `json:"duplicate,omitempty"`
	// Reorder holds a frame back for ReorderDelay more, so that later ones overtake it.
	Reorder      float64  `json:"reorder,omitempty"`
	ReorderDelay Duration `json:"reorder_delay,omitempty"`
	// Delay is added to every frame.
	Delay Duration `json:"delay,omitempty"`
	// Seed makes chance the same every time: from the moment at which the impairment is set,
	// it hits the same of the frames that the port sends. 0 stands for a seed of its own.
	Seed uint64 `json:"seed,omitempty"`
}

// defaultReorderDelay holds a frame back for long enough that busy flows overtake it.
const defaultReorderDelay = Duration(5 * time.Millisecond)

// maxDelay bounds what a frame can be held back for.
const maxDelay = Duration(10 * time.Second)

// Validate says what is out of range.
func (i Impairment) Validate() error {
	for _, f := range []struct {
		name  string
		value float64
	}{{"loss", i.Loss}, {"duplicate", i.Duplicate}, {"reorder", i.Reorder}} {
		if !(f.value >= 0 && f.value <= 1) {
			return fmt.Errorf("%s: %v is not between 0 and 1", f.name, f.value)
		}
	}
	if i.Delay < 0 || i.Delay > maxDelay || i.ReorderDelay < 0 || i.ReorderDelay > maxDelay {
		return fmt.Errorf("delay: not between 0 and %s", time.Duration(maxDelay))
	}
	return nil
}

// Duration is a time.Duration whose JSON form is a string like "10ms".
type Duration time.Duration

// MarshalJSON writes the duration as time.Duration prints it.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).String())
}

// UnmarshalJSON reads what time.ParseDuration takes.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return errors.New(`a duration is a string like "10ms"`)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

// delayed is a frame that waits in the delay line.
type delayed struct {
	due   time.Duration // since the Set's start
	seq   uint64        // keeps frames of the same time in order
	port  *port
	frame []byte
}

// delayLine orders frames by the time at which they leave.
type delayLine []delayed

func (l delayLine) Len() int { return len(l) }
func (l delayLine) Less(i, j int) bool {
	return l[i].due < l[j].due || l[i].due == l[j].due && l[i].seq < l[j].seq
}
func (l delayLine) Swap(i, j int) { l[i], l[j] = l[j], l[i] }

// Push is heap.Interface's.
func (l *delayLine) Push(x any) { *l = append(*l, x.(delayed)) }

// Pop is heap.Interface's.
func (l *delayLine) Pop() any {
	old := *l
	last := old[len(old)-1]
	old[len(old)-1] = delayed{}
	*l = old[:len(old)-1]
	return last
}

// impairer applies impairments. Its owner is the Set's.
type impairer struct {
	line  delayLine
	limit int
	seq   uint64
}

func newImpairer(limit int) *impairer {
	return &impairer{limit: limit}
}

// send sends a frame over the bad wire: not at all, now, later or twice.
func (m *impairer) send(now time.Duration, p *port, w *wire, frame []byte) {
	if w.chance(w.Loss) {
		p.counts.lost.Add(1)
		return
	}
	copies := 1
	if w.chance(w.Duplicate) {
		p.counts.duplicated.Add(1)
		copies = 2
	}
	wait := time.Duration(w.Delay)
	if w.chance(w.Reorder) {
		p.counts.reordered.Add(1)
		hold := w.ReorderDelay
		if hold == 0 {
			hold = defaultReorderDelay
		}
		wait += time.Duration(hold)
	}
	for range copies {
		if wait == 0 {
			p.send(frame)
			continue
		}
		if len(m.line) >= m.limit {
			p.counts.delayFull.Add(1)
			continue
		}
		p.counts.delayed.Add(1)
		m.seq++
		heap.Push(&m.line, delayed{due: now + wait, seq: m.seq, port: p, frame: append([]byte(nil), frame...)})
	}
}

// release sends the frames whose time has come.
func (m *impairer) release(now time.Duration) {
	for len(m.line) > 0 && m.line[0].due <= now {
		d := heap.Pop(&m.line).(delayed)
		d.port.send(d.frame)
	}
}

// next is the time until the next frame leaves; ok is false if none waits.
func (m *impairer) next(now time.Duration) (wait time.Duration, ok bool) {
	if len(m.line) == 0 {
		return 0, false
	}
	return max(m.line[0].due-now, 0), true
}
