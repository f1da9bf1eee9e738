package gnmi_test

import (
	"fmt"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding/gzip"

	"github.com/fabricscope/fabricscope/controlplane/history/records"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// TestAnswersThatNobodyTakes has clients ask and not take the answers, which gRPC keeps when its handlers have long ended:
// there is a bound of their bytes, and what is taken, given up or was of a closed connection makes room for others.
func TestAnswersThatNobodyTakes(t *testing.T) {
	facts := []inventory.Fact{inventory.Cluster{Name: "blue"}}
	for i := range 400 {
		facts = append(facts, shop.Pod("cart", fmt.Sprint(i), fmt.Sprint("uid-", i), "worker1", "10.244.1.6"))
	}
	registry := prometheus.NewRegistry()
	lab := gnmitest.StartWith(t, facts, func(d *gnmi.Deps, _ *records.Store) { d.Registerer = registry },
		func(_ *historyConfig, c *gnmiConfig) {
			c.MaxGetBytes, c.MaxCallerAnswersBytes, c.MaxAnswersBytes = 1<<20, 2<<20, 2<<20
		})
	held := func() float64 { return gauge(t, registry, "fabricscope_gnmi_answers_bytes") }
	for name, options := range map[string][]grpc.CallOption{"plain": nil, "compressed": {grpc.UseCompressor(gzip.Name)}} {
		t.Run(name, func(t *testing.T) {
			conn, err := grpc.NewClient(lab.Address, grpc.WithTransportCredentials(credentials.NewTLS(clientTLS(t, lab.CA))))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			var stuck []grpc.ClientStream
			for refused := false; !refused; {
				if len(stuck) > 100 {
					t.Fatalf("%d answers wait", len(stuck))
				}
				stream := askPods(t, conn, options...)
				// The headers are there when the answer is; of one that is refused there are none.
				md, err := stream.Header()
				if err != nil {
					t.Fatal(err)
				}
				if refused = len(md) == 0; refused {
					wantCode(t, stream.RecvMsg(new(gpb.GetResponse)), codes.ResourceExhausted, "bytes of answers to Get", "gnmi.max-answers-bytes")
					continue
				}
				stuck = append(stuck, stream)
			}
			if n := held(); n < 1<<20 || n > 2<<20 {
				t.Errorf("%v bytes wait in %d answers", n, len(stuck))
			}
			var answer gpb.GetResponse
			if err := stuck[0].RecvMsg(&answer); err != nil || len(answer.GetNotification()) == 0 {
				t.Fatal(err)
			}
			again := askPods(t, conn)
			for again.RecvMsg(&answer) != nil { // until gRPC has told that it has no need of the bytes
				again = askPods(t, conn)
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "answers of a closed connection are counted", func() bool { return held() == 0 })
		})
	}
}

// askPods asks for all pods, and takes nothing.
func askPods(t *testing.T, conn *grpc.ClientConn, options ...grpc.CallOption) grpc.ClientStream {
	t.Helper()
	stream, err := conn.NewStream(deadline(t), &grpc.StreamDesc{ServerStreams: true}, "/gnmi.gNMI/Get", options...)
	if err != nil {
		t.Fatal(err)
	}
	req := &gpb.GetRequest{Encoding: gpb.Encoding_PROTO, Path: []*gpb.Path{{Elem: []*gpb.PathElem{{Name: "kubernetes"}, {Name: "clusters"}, {Name: "cluster"}, {Name: "pods"}}}}}
	if err := stream.SendMsg(req); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	return stream
}
