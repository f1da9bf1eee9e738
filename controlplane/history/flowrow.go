package history

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// selectFlow is what a flowRow is scanned from.
const selectFlow = `SELECT id, slot_ns, event_ns, commit_ns, first_ns, last_ns, fact, sum FROM flow_record `

// timed is added to sums that are of a row's times too, and not of its fact alone, as those of before were.
const timed = 1 << 32

// flowRow is what is read of a row of flow_record.
type flowRow struct {
	id    int64
	times flowTimes
	text  []byte // the fact
	sum   sql.NullInt64
}

// flowTimes are those by which a flow record is found: slot_ns, event_ns, commit_ns, first_ns and last_ns.
type flowTimes [5]int64

func (t flowTimes) event() time.Time  { return moment(t[1]) }
func (t flowTimes) commit() time.Time { return moment(t[2]) }

// sum is that of a row, of which the times come after the fact.
func (t flowTimes) sum(text []byte) int64 {
	whole := make([]byte, 0, 8*len(t))
	for _, ns := range t {
		whole = binary.BigEndian.AppendUint64(whole, uint64(ns))
	}
	return timed | int64(crc32.Update(crc32.Checksum(text, sums), sums, whole))
}

// into gives what a row is scanned into; the text may be one that is overwritten by the next row.
func (r *flowRow) into(text any) []any {
	t := &r.times
	return []any{&r.id, &t[0], &t[1], &t[2], &t[3], &t[4], text, &r.sum}
}

// decode gives the fact of a row. Rows of before sums have none.
func (r *flowRow) decode() (inventory.Fact, error) {
	if r.sum.Valid {
		sum := int64(crc32.Checksum(r.text, sums))
		if r.sum.Int64&timed != 0 {
			sum = r.times.sum(r.text)
		}
		if sum != r.sum.Int64 {
			return nil, fmt.Errorf("%w: a row of %d bytes with another sum", ErrCorrupt, len(r.text))
		}
	}
	return decodeRest[flow.Conversation](r.text)
}
