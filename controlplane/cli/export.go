package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// exportMethod is the RPC of an export: docs/formats/export.md has it.
const exportMethod = "/fabricscope.v1.FlowRecords/Export"

// partSuffix is behind the name of a file that is not whole yet.
const partSuffix = ".part"

// exportFlags are those of export flows.
type exportFlags struct {
	format, file, since, until, end, protocol string
	plain                                     map[string]*string // fields that go as they are, by flag
}

func exportCommand(o *options) *cobra.Command {
	c := &cobra.Command{Use: "export", Short: "Write what was recorded to a file", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(exportFlowsCommand(o))
	return c
}

func exportFlowsCommand(o *options) *cobra.Command {
	f := &exportFlags{plain: map[string]*string{}}
	c := &cobra.Command{
		Use:   "flows",
		Short: "Write flow records: what passed of each conversation, interval by interval and hop by hop",
		Long: `Write flow records: what passed of each conversation, interval by interval and hop by hop.
Names are whole names. What is said of an end has to hold for one end, either of the two.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			request, err := f.request(o.now)
			if err != nil {
				return err
			}
			return o.export(c.Context(), request, f.file)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.format, "format", "jsonl", "jsonl (a JSON object a line) or parquet")
	flags.StringVarP(&f.file, "file", "f", "", "file to write (default: standard output)")
	flags.StringVar(&f.since, "since", "", "only of intervals that ended then or later: RFC 3339, or a duration ago as 1h")
	flags.StringVar(&f.until, "until", "", "only of intervals that ended before: RFC 3339, or a duration ago as 10m")
	flags.StringVar(&f.end, "end", "", "only with this end: ADDRESS, ADDRESS:PORT, [ADDRESS]:PORT or :PORT")
	flags.StringVar(&f.protocol, "protocol", "", "only of this protocol: tcp, udp, icmp, … or a number")
	for name, usage := range map[string]string{
		"cluster": "only of this cluster", "namespace": "only of this namespace", "pod": "only of pods with this name or UID",
		"workload": "only of this workload: kind/name, as Deployment/web", "service": "only of this service: namespace/name, or a name in any namespace",
		"switch": "only of packets that passed this switch", "port": "only of packets that entered --switch by this port",
		"verdict": "only with this verdict: answered, refused, unanswered, lost or one-way", "conversation": "only of this conversation, by its identifier",
	} {
		short := ""
		if name == "namespace" {
			short = "n"
		}
		f.plain[name] = flags.StringP(name, short, "", usage)
	}
	return c
}

// request gives the fields that the daemon is asked with.
func (f *exportFlags) request(now time.Time) (*structpb.Struct, error) {
	fields := map[string]any{"format": f.format}
	if f.format != "jsonl" && f.format != "parquet" {
		return nil, fmt.Errorf("--format: %q is not jsonl or parquet", f.format)
	}
	for name, value := range f.plain {
		if *value == "" {
			continue
		}
		if name == "port" {
			name = "switch-port"
		}
		fields[name] = *value
	}
	for name, text := range map[string]string{"since": f.since, "until": f.until} {
		t, err := parseTime("--"+name, text, now)
		if err != nil {
			return nil, err
		}
		if !t.IsZero() {
			fields[name] = t.UTC().Format(time.RFC3339Nano)
		}
	}
	if err := parseEnd(f.end, fields); err != nil {
		return nil, err
	}
	if f.protocol != "" {
		n, err := protocolNumber(f.protocol)
		if err != nil {
			return nil, err
		}
		fields["protocol"] = n
	}
	return structpb.NewStruct(fields)
}

// parseEnd reads --end into fields.
func parseEnd(s string, fields map[string]any) error {
	if s == "" {
		return nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		fields["address"] = a.String()
		return nil
	}
	port, isPort := strings.CutPrefix(s, ":")
	if ap, err := netip.ParseAddrPort(s); err == nil {
		fields["address"], port, isPort = ap.Addr().String(), strconv.Itoa(int(ap.Port())), true
	}
	if _, err := strconv.ParseUint(port, 10, 16); !isPort || err != nil {
		return fmt.Errorf("--end: %q is not as 10.0.0.1, 10.0.0.1:80, [fd00::1]:80 or :80", s)
	}
	fields["port"] = port
	return nil
}

// protocolNumber gives the number of a protocol by its name or number.
func protocolNumber(s string) (string, error) {
	if _, err := strconv.ParseUint(s, 10, 16); err == nil {
		return s, nil
	}
	for n := range uint64(257) {
		if protocolName(n) == strings.ToLower(s) {
			return strconv.FormatUint(n, 10), nil
		}
	}
	return "", fmt.Errorf("--protocol: %q is neither a protocol's name, as tcp, nor a number", s)
}

// export asks for records and writes the answer to a file, or to standard output. A file is there whole or not at all.
func (o *options) export(ctx context.Context, request *structpb.Struct, path string) error {
	if path == "" {
		n, err := o.receive(ctx, request, o.Stdout)
		return o.exported(n, err)
	}
	f, err := os.Create(path + partSuffix)
	if err != nil {
		return fail("--file: %w", err)
	}
	w := bufio.NewWriter(f)
	n, err := o.receive(ctx, request, w)
	if err == nil {
		err = errors.Join(w.Flush(), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(o.exported(n, err), os.Remove(f.Name()))
	}
	return o.exported(n, nil)
}

// exported tells how it went.
func (o *options) exported(records string, err error) error {
	if err != nil {
		var failed *failure
		if errors.As(err, &failed) {
			return err
		}
		return o.explain(err)
	}
	fmt.Fprintln(o.Stderr, records, "records")
	return nil
}

// receive streams the answer to w, and gives the number of records that the daemon says it has.
func (o *options) receive(ctx context.Context, request *structpb.Struct, w io.Writer) (records string, err error) {
	p := o.patience(ctx)
	defer p.end()
	conn, err := o.dial()
	if err != nil {
		return "", err
	}
	defer conn.Close()
	stream, err := conn.NewStream(p, &grpc.StreamDesc{ServerStreams: true}, exportMethod)
	if err != nil {
		return "", p.explain(err)
	}
	if err := errors.Join(stream.SendMsg(request), stream.CloseSend()); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	for {
		var chunk wrapperspb.BytesValue
		p.wait()
		err := stream.RecvMsg(&chunk)
		p.came()
		switch {
		case errors.Is(err, io.EOF):
			if n := stream.Trailer().Get("records"); len(n) == 1 {
				return n[0], nil
			}
			return "", errors.New("the answer does not say how many records it has")
		case err != nil:
			return "", p.explain(err)
		}
		if _, err := w.Write(chunk.GetValue()); err != nil {
			return "", fail("write: %w", err)
		}
	}
}
