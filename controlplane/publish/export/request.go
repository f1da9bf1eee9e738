package export

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/fabricscope/fabricscope/controlplane/history/records"
)

// parse reads a request. Its error names the field.
func parse(s *structpb.Struct) (q records.Query, f records.Format, err error) {
	f = records.JSONLines
	fields := fields(&q, &f)
	for _, name := range slices.Sorted(maps.Keys(s.GetFields())) {
		set, known := fields[name]
		if !known {
			return q, f, fmt.Errorf("%s: there is no such field; there are %v", name, slices.Sorted(maps.Keys(fields)))
		}
		text, ok := s.GetFields()[name].GetKind().(*structpb.Value_StringValue)
		if !ok {
			return q, f, fmt.Errorf("%s: not a string", name)
		}
		if err := set(text.StringValue); err != nil {
			return q, f, fmt.Errorf("%s: %w", name, err)
		}
	}
	return q, f, q.Validate()
}

// fields are those of a request, each with what reads it.
func fields(q *records.Query, f *records.Format) map[string]func(string) error {
	text := func(to *string) func(string) error {
		return func(s string) error { *to = s; return nil }
	}
	moment := func(to *time.Time) func(string) error {
		return func(s string) (err error) {
			if *to, err = time.Parse(time.RFC3339Nano, s); err != nil {
				return fmt.Errorf("%q is not a time as RFC 3339 has it", s)
			}
			return nil
		}
	}
	number := func(to **uint16) func(string) error {
		return func(s string) error {
			n, err := strconv.ParseUint(s, 10, 16)
			if err != nil {
				return fmt.Errorf("%q is not a number from 0 to 65535", s)
			}
			*to = new(uint16)
			**to = uint16(n)
			return nil
		}
	}
	return map[string]func(string) error{
		"format": func(s string) error {
			if *f = records.Format(s); *f != records.Parquet && *f != records.JSONLines {
				return fmt.Errorf("%q is not %s or %s", s, records.Parquet, records.JSONLines)
			}
			return nil
		},
		"address": func(s string) (err error) {
			if q.Address, err = netip.ParseAddr(s); err != nil {
				return fmt.Errorf("%q is not an address", s)
			}
			return nil
		},
		"verdict": func(s string) error { q.Verdict = records.Verdict(s); return nil },
		"since":   moment(&q.From), "until": moment(&q.To),
		"cluster": text(&q.Cluster), "namespace": text(&q.Namespace), "pod": text(&q.Pod),
		"workload": text(&q.Workload), "service": text(&q.Service), "port": number(&q.Port),
		"switch": text(&q.Switch), "switch-port": text(&q.SwitchPort),
		"protocol": number(&q.Protocol), "conversation": text(&q.Conversation),
	}
}
