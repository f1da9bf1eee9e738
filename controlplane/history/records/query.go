package records

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
)

// Query says which records are meant. What is empty does not matter; all else has to hold. What is said of an end
// has to hold for one end, either of the two. Names are whole names.
type Query struct {
	From, To time.Time // end of the interval: From ≤ Time < To

	Cluster, Namespace string
	Pod                string // its name, or its UID
	Workload           string // kind/name
	Service            string // namespace/name, or the name in any namespace
	Address            netip.Addr
	Port               *uint16 // of TCP, UDP or SCTP

	Switch       string // that the packets passed
	SwitchPort   string // of Switch, where they entered it
	Protocol     *uint16
	Verdict      Verdict
	Conversation string

	// Permit leaves of a record what whoever asks may see, and says whether that is anything; nil is everything. What is
	// asked for has to hold for what it leaves. It may change the record, not what its pointers lead to.
	Permit func(*Record) bool
}

// permits says whether a record that is meant may be seen.
func (q *Query) permits(r *Record) bool { return q.Permit == nil || q.Permit(r) && q.matches(r) }

// Validate reports what cannot be meant.
func (q Query) Validate() error {
	switch {
	case q.SwitchPort != "" && q.Switch == "":
		return fmt.Errorf("records: query: switch-port %q is of no switch", q.SwitchPort)
	case q.Verdict != "" && !slices.Contains(Verdicts(), q.Verdict):
		return fmt.Errorf("records: query: verdict: %q is none of %v", q.Verdict, Verdicts())
	case !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To):
		return fmt.Errorf("records: query: since %s is not before until %s", q.From.Format(time.RFC3339), q.To.Format(time.RFC3339))
	}
	return nil
}

// during says whether records between two times, both included, can be meant.
func (q *Query) during(from, to time.Time) bool {
	return (q.To.IsZero() || from.Before(q.To)) && (q.From.IsZero() || !to.Before(q.From))
}

// matches says whether a record is meant.
func (q *Query) matches(r *Record) bool {
	return q.during(r.Time, r.Time) && (q.matchesEnd(&r.Client) || q.matchesEnd(&r.Server)) &&
		(q.Protocol == nil || uint16(r.Protocol) == *q.Protocol) && (q.Verdict == "" || r.Verdict == q.Verdict) &&
		(q.Conversation == "" || r.Conversation == q.Conversation) &&
		(q.Switch == "" || slices.ContainsFunc(r.Forward.Hops, q.matchesHop) || slices.ContainsFunc(r.Reverse.Hops, q.matchesHop))
}

func (q *Query) matchesEnd(e *End) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	return is(q.Cluster, e.Who.Cluster) && is(q.Namespace, e.Who.Namespace) && is(q.Workload, e.Who.Workload) &&
		(q.Pod == "" || q.Pod == e.Who.Pod || q.Pod == e.Who.PodUID) && (q.Service == "" || hasService(e.Who.Service, q.Service)) &&
		(!q.Address.IsValid() || q.Address == e.Address) && (q.Port == nil || *q.Port == e.Port)
}

// hasService says whether a list with commas between, as an end has it, has a service.
func hasService(list, service string) bool {
	for name := range strings.SplitSeq(list, ",") {
		if name == service || name[strings.IndexByte(name, '/')+1:] == service {
			return true
		}
	}
	return false
}

func (q *Query) matchesHop(h Hop) bool {
	return h.Switch == q.Switch && (q.SwitchPort == "" || h.Port == q.SwitchPort)
}

// pathHas says the same of a path as rows have it.
func (q *Query) pathHas(path string) bool {
	for word := range strings.SplitSeq(path, " ") {
		word, _, _ = strings.Cut(strings.TrimSuffix(word, "?"), "=")
		if sw, port, _ := strings.Cut(word, "/"); sw == q.Switch && (q.SwitchPort == "" || port == q.SwitchPort) {
			return true
		}
	}
	return false
}

// condition is what the values of a column have to be.
type condition struct {
	column string
	admits func(parquet.Value) bool
}

// conditions of a query: all of every, all of one of either.
type conditions struct {
	every  []condition
	either [][][]condition // of each, one list has to hold
}

// text is the condition that a column is one of texts.
func text(column string, admits func(string) bool) condition {
	return condition{column, func(v parquet.Value) bool { return admits(string(v.ByteArray())) }}
}

func equals(column, want string) condition {
	return condition{column, func(v parquet.Value) bool { return string(v.ByteArray()) == want }}
}

func number(column string, want uint16) condition {
	return condition{column, func(v parquet.Value) bool { return v.Uint32() == uint32(want) }}
}

// conditions gives what the query asks of columns. Records between from and to, both included, are in question.
func (q *Query) conditions(from, to time.Time) conditions {
	var c conditions
	if !q.From.IsZero() && from.Before(q.From) || !q.To.IsZero() && !to.Before(q.To) {
		c.every = append(c.every, condition{"time", func(v parquet.Value) bool {
			t := time.UnixMilli(v.Int64())
			return q.during(t, t)
		}})
	}
	if q.Verdict != "" {
		c.every = append(c.every, equals("verdict", string(q.Verdict)))
	}
	if q.Protocol != nil {
		c.every = append(c.every, number("protocol", *q.Protocol))
	}
	if q.Conversation != "" {
		c.every = append(c.every, equals("conversation", q.Conversation))
	}
	if q.Switch != "" {
		c.either = append(c.either, q.passed())
	}
	if ends := append(q.end("client"), q.end("server")...); len(ends[0]) > 0 {
		c.either = append(c.either, ends)
	}
	return c
}

// passed gives what a path, or an end where a path begins, may be for packets to have passed the switch.
func (q *Query) passed() [][]condition {
	part := []byte(q.Switch + "/" + q.SwitchPort)
	path := func(column string) []condition {
		return []condition{{column, func(v parquet.Value) bool {
			return bytes.Contains(v.ByteArray(), part) && q.pathHas(string(v.ByteArray()))
		}}}
	}
	lists := [][]condition{path("forward_path"), path("reverse_path")}
	for _, side := range []string{"client", "server"} {
		list := []condition{equals(side+"_switch", q.Switch)}
		if q.SwitchPort != "" {
			list = append(list, equals(side+"_switch_port", q.SwitchPort))
		}
		lists = append(lists, list)
	}
	return lists
}

// end gives what the query asks of one end, in one list or another.
func (q *Query) end(side string) [][]condition {
	var list []condition
	for _, t := range []struct{ column, want string }{
		{"cluster", q.Cluster}, {"namespace", q.Namespace}, {"workload", q.Workload},
	} {
		if t.want != "" {
			list = append(list, equals(side+"_"+t.column, t.want))
		}
	}
	if q.Address.IsValid() {
		list = append(list, equals(side+"_address", q.Address.String()))
	}
	if q.Service != "" {
		list = append(list, text(side+"_service", func(have string) bool { return hasService(have, q.Service) }))
	}
	if q.Port != nil {
		list = append(list, number(side+"_port", *q.Port))
	}
	if q.Pod == "" {
		return [][]condition{list}
	}
	return [][]condition{
		append([]condition{equals(side+"_pod", q.Pod)}, list...),
		append([]condition{equals(side+"_pod_uid", q.Pod)}, list...),
	}
}
