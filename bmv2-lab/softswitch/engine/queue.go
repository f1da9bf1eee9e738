package engine

// Ports of simple_switch have a queue for each priority, between ingress and egress, and packets
// of the highest one leave first. With one queue it makes no difference when a packet leaves it,
// so packets do not wait. With several they wait for the end of their batch: the frames of a
// batch came together, and so compete.

// MaxQueues bounds Options.Queues.
const MaxQueues = 256

// maxWaiting is how many packets wait. simple_switch drops what comes to a full queue, and has
// room for as many in each; here the packet that is next leaves.
const maxWaiting = 64

// queues are those of all ports.
type queues struct {
	waiting [][]queued       // by priority, in the order of arrival
	depth   map[queue]uint64 // packets that wait
	packets int              // that wait
	serving bool
}

// queue names one queue.
type queue struct {
	port     uint32
	priority uint64
}

// queued is a packet that waits.
type queued struct {
	p     *packet
	since uint64 // µs
	port  uint32
}

func newQueues(n uint64) *queues {
	return &queues{waiting: make([][]queued, n), depth: map[queue]uint64{}}
}

// toEgress lets a packet go on to a port, through the queue of its priority. It owns p.
func (s *Switch) toEgress(p *packet, port uint32, out Output) {
	priority := uint64(0)
	if s.std.priority.ok {
		priority = p.words[s.std.priority.off]
	}
	if priority >= s.opt.Queues {
		s.stats.NoQueue++
		if s.opt.Trace != nil {
			p.say("egress: drop, there is no queue for priority %d", priority)
		}
		s.put(p)
		return
	}
	s.std.enqTime.set(p, p.now)
	if s.queues == nil || s.queues.serving && s.queues.packets >= maxWaiting {
		s.std.enqDepth.set(p, 0)
		s.std.deqTime.set(p, 0)
		s.std.deqDepth.set(p, 0)
		s.std.queue.set(p, priority)
		s.egress(p, port, out)
		return
	}
	if s.queues.packets >= maxWaiting {
		s.serve(out)
	}
	s.enqueue(p, port, priority)
}

// enqueue lets a packet wait, with a frame of its own. It owns p.
func (s *Switch) enqueue(p *packet, port uint32, priority uint64) {
	q := s.queues
	name := queue{port, priority}
	s.std.enqDepth.set(p, q.depth[name])
	p.kept = append(p.kept[:0], p.frame...)
	p.frame = p.kept
	q.depth[name]++
	q.packets++
	q.waiting[priority] = append(q.waiting[priority], queued{p, p.now, port})
}

// serve lets the packet that is next go through egress.
func (s *Switch) serve(out Output) {
	q := s.queues
	priority := len(q.waiting) - 1
	for len(q.waiting[priority]) == 0 {
		priority--
	}
	list := q.waiting[priority]
	next, name := list[0], queue{list[0].port, uint64(priority)}
	q.waiting[priority] = list[:copy(list, list[1:])]
	q.packets--
	if q.depth[name]--; q.depth[name] == 0 {
		delete(q.depth, name)
	}
	p := next.p
	p.now = s.now
	s.std.deqTime.set(p, p.now-next.since)
	s.std.deqDepth.set(p, q.depth[name])
	s.std.queue.set(p, name.priority)
	q.serving = true
	s.egress(p, next.port, out)
	q.serving = false
}
