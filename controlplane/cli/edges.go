package cli

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

const edgesPath = "flows/services"

// edge is who asks which service, in JSON output.
type edge struct {
	ID            string       `json:"id"`
	Client        party        `json:"client"`
	Server        party        `json:"server"`
	Protocol      uint64       `json:"protocol"`
	ProtocolName  string       `json:"protocol-name"`
	Port          uint64       `json:"port"`
	First         time.Time    `json:"first-seen,omitzero"`
	Last          time.Time    `json:"last-seen,omitzero"`
	Connections   uint64       `json:"connections"`
	Refused       uint64       `json:"refused"`
	Unanswered    uint64       `json:"unanswered"`
	Retransmitted uint64       `json:"retransmitted-syns"`
	Handshakes    uint64       `json:"handshakes"`
	ServerTime    uint64       `json:"server-time-ns"` // of all handshakes together
	ClientTime    uint64       `json:"client-time-ns"`
	Times         []edgeBucket `json:"handshake-times"`
	Lost          uint64       `json:"lost"`
	Forward       traffic      `json:"forward"`
	Reverse       traffic      `json:"reverse"`
}

// party is one side of an edge.
type party struct {
	Cluster   string `json:"cluster,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Kind      string `json:"kind"` // of a workload, as Deployment; service, node or outside
	Name      string `json:"name,omitempty"`
}

// traffic is that of one direction.
type traffic struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// edgeBucket counts handshakes that took about as long.
type edgeBucket struct {
	UpTo       uint64 `json:"up-to-us"` // the greatest number of 32 bits for the last
	Handshakes uint64 `json:"handshakes"`
}

func edgesCommand(o *options) *cobra.Command {
	f := &filters{}
	c := &cobra.Command{
		Use:   "edges",
		Short: "Show who asks which service, how much, and how it went",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.prepare(); err != nil {
				return err
			}
			data, err := o.ask(c.Context(), edgesPath, clusterStatePath)
			if err != nil {
				return err
			}
			f.warnOfClusters(o, data)
			return show(o, "edges", f.edges(readEdges(data)), edgeColumns(count, size), edgeColumnsWide())
		},
	}
	c.Flags().StringVar(&f.cluster, "cluster", "", "only edges of this cluster")
	c.Flags().StringVarP(&f.namespace, "namespace", "n", "", "only edges of this namespace")
	c.Flags().StringVar(&f.service, "service", "", "only edges to this service")
	return c
}

// edges keeps those that the filters admit; either side may be meant, but the service is the server.
func (f *filters) edges(list []edge) []edge {
	sides := func(of func(edge) []string) func(edge) []string {
		return func(e edge) []string {
			return slices.DeleteFunc(of(e), func(n string) bool { return n == "" })
		}
	}
	list = filterBy(list, f.cluster, sides(func(e edge) []string { return []string{e.Client.Cluster, e.Server.Cluster} }))
	list = filterBy(list, f.namespace, sides(func(e edge) []string {
		namespaces, _ := e.services()
		return append(namespaces, e.Client.Namespace)
	}))
	return filterBy(list, f.service, func(e edge) []string { _, names := e.services(); return names })
}

// services are the namespaces and names of those that the server answers for: one, or several behind the same port, whose
// names are name,namespace/name.
func (e edge) services() (namespaces, names []string) {
	return servicesIn(e.Server.Namespace + "/" + e.Server.Name)
}

func readEdges(data *branch) []edge {
	var list []edge
	for _, b := range data.each("flows", "services", "edge") {
		s, c := b.in("state"), b.in("state", "counters")
		side := func(name, kind string) party {
			return party{s.text(name + "-cluster"), s.text(name + "-namespace"), kind, s.text(name + "-name")}
		}
		direction := func(name string) traffic {
			return traffic{c.in(name).number("pkts"), c.in(name).number("octets")}
		}
		e := edge{ID: b.key("id"), Client: side("client", s.text("client-kind")), Server: side("server", "service"),
			Protocol: s.number("protocol"), ProtocolName: protocolName(s.number("protocol")), Port: s.number("port"),
			First: s.instant("first-seen"), Last: c.instant("last-seen"), Connections: c.number("connections"), Refused: c.number("refused"),
			Unanswered: c.number("unanswered"), Retransmitted: c.number("retransmitted-syns"), Handshakes: c.number("handshakes"),
			ServerTime: c.number("server-time"), ClientTime: c.number("client-time"), Times: []edgeBucket{}, Lost: c.number("lost-pkts"),
			Forward: direction("forward"), Reverse: direction("reverse")}
		for _, t := range b.each("handshake-times", "bucket") {
			e.Times = append(e.Times, edgeBucket{t.in("state").number("up-to"), t.in("state").number("handshakes")})
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b edge) int {
		return cmp.Or(cmp.Compare(b.Forward.Bytes+b.Reverse.Bytes, a.Forward.Bytes+a.Reverse.Bytes), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// String gives the kind and the name, with the namespace where there is one.
func (p party) String() string {
	name := p.Name
	if p.Namespace != "" {
		name = p.Namespace + "/" + name
	}
	if p.Kind == "service" || name == "" {
		return cmp.Or(name, p.Kind)
	}
	return p.Kind + " " + name
}

// mean is the time that the server took for a handshake, on average.
func (e edge) mean() string {
	if e.Handshakes == 0 {
		return ""
	}
	return milliseconds(e.ServerTime / e.Handshakes)
}

// times gives the histogram, as <=1ms:3.
func (e edge) times() string {
	return joined(e.Times, func(b edgeBucket) string {
		if b.UpTo == math.MaxUint32 {
			return fmt.Sprintf("more:%d", b.Handshakes)
		}
		return fmt.Sprintf("<=%s:%d", time.Duration(b.UpTo)*time.Microsecond, b.Handshakes)
	})
}

func edgeColumns(packets, bytes func(uint64) string) []column[edge] {
	some := func(of func(edge) uint64) func(edge) string {
		return func(e edge) string {
			if of(e) == 0 {
				return ""
			}
			return packets(of(e))
		}
	}
	return []column[edge]{
		{"CLUSTER", func(e edge) string { return e.Server.Cluster }},
		{"CLIENT", func(e edge) string { return e.Client.String() }},
		{"SERVICE", func(e edge) string { return e.Server.String() }},
		{"PROTO", func(e edge) string { return e.ProtocolName }},
		{"PORT", func(e edge) string { return fmt.Sprint(e.Port) }},
		{"CONNECTIONS", func(e edge) string { return packets(e.Connections) }},
		{"REFUSED", some(func(e edge) uint64 { return e.Refused })},
		{"UNANSWERED", some(func(e edge) uint64 { return e.Unanswered })},
		{"REPEATED-SYNS", some(func(e edge) uint64 { return e.Retransmitted })},
		{"HANDSHAKE", edge.mean},
		{"LOST", some(func(e edge) uint64 { return e.Lost })},
		{"BYTES→", func(e edge) string { return bytes(e.Forward.Bytes) }},
		{"BYTES←", func(e edge) string { return bytes(e.Reverse.Bytes) }},
	}
}

func edgeColumnsWide() []column[edge] {
	exact := func(n uint64) string { return fmt.Sprint(n) }
	return append(edgeColumns(exact, exact),
		column[edge]{"PACKETS→", func(e edge) string { return exact(e.Forward.Packets) }},
		column[edge]{"PACKETS←", func(e edge) string { return exact(e.Reverse.Packets) }},
		column[edge]{"HANDSHAKES", edge.times},
		column[edge]{"FIRST", func(e edge) string { return stamp(e.First) }},
		column[edge]{"LAST", func(e edge) string { return stamp(e.Last) }})
}
