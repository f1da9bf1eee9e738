package stf

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// Result is what came of one file.
type Result struct {
	File         string
	Packets      int // sent
	Expectations int // statements that expect something
	// Problems are the texts of what was not as expected, or could not be done; each begins
	// with FILE:LINE and may have several lines. Without one the file has passed.
	Problems []string
}

// run is one script in progress.
type run struct {
	schema *schema
	target Target
	out    io.Writer // what statements print
	result *Result

	file string
	line int // of the current statement

	named   map[string]namedEntry // entries by the names that add gave them
	handles map[string]handles    // of tables by name
	pre     replicationState

	profiles  map[string]*profileState // by name
	valueSets map[string][][]engine.Match

	ports      map[uint32]*port
	controlled bool // a statement spoke to the control plane since the last packet

	digests      []Digest // raised, and not yet expected
	digestsCount bool     // the script expects digests
}

// namedEntry is an entry that a script can refer to.
type namedEntry struct {
	table string
	entry engine.Entry
}

// p4c's runner waits for this time between a command to the control plane and the next packet.
// Packets in a row follow each other without a pause; packetGap keeps their order in time.
const (
	settleTime = time.Second
	packetGap  = 10 * time.Microsecond
)

// Run carries a script out on a target that has nothing but its program.
func (p *Program) Run(s *Script, t Target, out io.Writer) *Result {
	x := &run{
		schema: p.schema, target: t, out: out, result: &Result{File: s.File}, file: s.File,
		named: map[string]namedEntry{}, handles: map[string]handles{}, ports: map[uint32]*port{},
		profiles: map[string]*profileState{}, valueSets: map[string][][]engine.Match{},
	}
	if err := x.declared(); err != nil {
		x.problem("%v", err)
		return x.result
	}
	for _, st := range s.statements {
		x.line = st.line
		if err := st.command.run(x); err != nil {
			x.problem("%s: %v", st.keyword, err)
		}
		x.controlled = x.controlled || st.controls()
	}
	x.finish()
	x.finishDigests()
	return x.result
}

// declared gives the entries that the program declares the first handles, as BMv2 does.
func (x *run) declared() error {
	for _, t := range x.schema.tables {
		entries, err := x.target.Entries(t.name)
		if err != nil && !errors.Is(err, ErrUnsupported) {
			return err
		}
		var h handles
		for _, e := range entries {
			h.add(e)
		}
		x.handles[t.name] = h
	}
	return nil
}

// problem takes note of a failure at the current statement.
func (x *run) problem(format string, args ...any) { x.problemAt(x.line, format, args...) }

func (x *run) problemAt(line int, format string, args ...any) {
	at := x.file
	if line > 0 {
		at = fmt.Sprintf("%s:%d", x.file, line)
	}
	x.result.Problems = append(x.result.Problems, at+": "+fmt.Sprintf(format, args...))
}

// print writes what a statement shows.
func (x *run) print(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, l := range strings.Split(text, "\n") {
		fmt.Fprintf(x.out, "%s:%d: %s\n", x.file, x.line, l)
	}
}
