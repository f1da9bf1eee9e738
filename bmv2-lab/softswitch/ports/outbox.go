package ports

// outboxBatches is how many batches of a port are filled, wait or are sent at a time.
const outboxBatches = 4

// outbox sends the frames of one port on a goroutine of its own, while the Set's owner goes on
// with the next ones. It keeps their order, and when it does not keep up, the owner waits: what
// that costs is counted in the kernel's queue before the switch, as without it.
//
// The port's owner starts it, and stop ends it.
type outbox struct {
	work chan *sender // filled batches
	free chan *sender // empty ones
	done chan struct{}
}

func startOutbox(p *port) *outbox {
	o := &outbox{work: make(chan *sender, outboxBatches), free: make(chan *sender, outboxBatches), done: make(chan struct{})}
	for range outboxBatches - 1 { // the port has one
		o.free <- newSender()
	}
	go func() {
		defer close(o.done)
		for tx := range o.work {
			p.sendBatch(tx)
			o.free <- tx
		}
	}()
	return o
}

// exchange takes a filled batch and gives an empty one. Owner only.
func (o *outbox) exchange(tx *sender) *sender {
	o.work <- tx
	return <-o.free
}

// settle waits until all batches have been sent. Owner only.
func (o *outbox) settle() {
	var idle [outboxBatches - 1]*sender
	for i := range idle {
		idle[i] = <-o.free
	}
	for _, tx := range idle {
		o.free <- tx
	}
}

// stop ends the goroutine when it has sent all batches.
func (o *outbox) stop() {
	close(o.work)
	<-o.done
}
