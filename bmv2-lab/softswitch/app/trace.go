package app

import "io"

// tracer is where the engine's trace goes; nil, which costs nothing, if nobody wants one. The
// worker alone calls it, so lines do not mix. A trace that cannot be written is lost: the
// packets go on.
func (d *Deps) tracer() func(line string) {
	if d.Trace == nil {
		return nil
	}
	return func(line string) { _, _ = io.WriteString(d.Trace, line+"\n") }
}
