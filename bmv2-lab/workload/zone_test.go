package workload

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
)

// testZone has the service shop/cart and the headless shop/store-pods with so
// many pods, one more of which is not ready.
func testZone(t *testing.T, pods int) *zone {
	t.Helper()
	byNamespace := cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
	services := cache.NewIndexer(cache.MetaNamespaceKeyFunc, byNamespace)
	endpoints := cache.NewIndexer(cache.MetaNamespaceKeyFunc, byNamespace)
	for name, address := range map[string]string{"cart": "10.96.7.7", "store-pods": corev1.ClusterIPNone} {
		if err := services.Add(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop"}, Spec: corev1.ServiceSpec{ClusterIP: address}}); err != nil {
			t.Fatal(err)
		}
	}
	no := false
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{
		Name: "store-pods-x", Namespace: "shop", Labels: map[string]string{discoveryv1.LabelServiceName: "store-pods"},
	}}
	slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{"10.244.9.9"}, Conditions: discoveryv1.EndpointConditions{Ready: &no}})
	for i := range pods {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{fmt.Sprintf("10.244.%d.%d", i/200, 2+i%200)}})
	}
	if err := endpoints.Add(slice); err != nil {
		t.Fatal(err)
	}
	return &zone{domain: "cluster.local", services: corelisters.NewServiceLister(services), slices: discoverylisters.NewEndpointSliceLister(endpoints)}
}

// ask packs a question, has the zone answer it, and unpacks the answer.
func ask(t *testing.T, z *zone, name string, kind dnsmessage.Type, limit int) dnsmessage.Message {
	t.Helper()
	query := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 4711, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}
	packed, err := query.Pack()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := z.answer(packed, limit)
	if err != nil {
		t.Fatal(err)
	}
	if len(answer) > limit {
		t.Errorf("%s: %d bytes, limit %d", name, len(answer), limit)
	}
	var message dnsmessage.Message
	if err := message.Unpack(answer); err != nil {
		t.Fatal(err)
	}
	if message.ID != 4711 || !message.Response || !slices.Equal(message.Questions, query.Questions) {
		t.Errorf("%s: header %+v, questions %v", name, message.Header, message.Questions)
	}
	return message
}

func TestZoneAnswers(t *testing.T) {
	z := testZone(t, 2)
	for _, test := range []struct {
		name      string
		kind      dnsmessage.Type
		code      dnsmessage.RCode
		addresses string
	}{
		{"cart.shop.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, "10.96.7.7"},
		{"CART.shop.SVC.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, "10.96.7.7"},
		{"cart.shop.svc.cluster.local.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, ""},
		{"store-pods.shop.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, "10.244.0.2 10.244.0.3"},
		{"absent.shop.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeNameError, ""},
		{"cart.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeNameError, ""},
		{"cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, ""},
		{"example.org.", dnsmessage.TypeA, dnsmessage.RCodeRefused, ""},
	} {
		message := ask(t, z, test.name, test.kind, maxUDPAnswer)
		var addresses []string
		for _, answer := range message.Answers {
			addresses = append(addresses, netip.AddrFrom4(answer.Body.(*dnsmessage.AResource).A).String())
		}
		if got := strings.Join(addresses, " "); message.RCode != test.code || got != test.addresses {
			t.Errorf("%s %v: got %v %q, want %v %q", test.name, test.kind, message.RCode, got, test.code, test.addresses)
		}
		// Without addresses a resolver is told how long to remember that (RFC 2308).
		if soa := len(message.Authorities) == 1; soa != (test.addresses == "" && test.code != dnsmessage.RCodeRefused) {
			t.Errorf("%s %v: authorities %v", test.name, test.kind, message.Authorities)
		}
	}
}

func TestZoneTruncates(t *testing.T) {
	z := testZone(t, 150)
	const name = "store-pods.shop.svc.cluster.local."
	if message := ask(t, z, name, dnsmessage.TypeA, maxUDPAnswer); !message.Truncated || len(message.Answers) != 0 {
		t.Errorf("over UDP: truncated %v with %d answers", message.Truncated, len(message.Answers))
	}
	if message := ask(t, z, name, dnsmessage.TypeA, 0xffff); message.Truncated || len(message.Answers) != 150 {
		t.Errorf("over TCP: truncated %v with %d answers", message.Truncated, len(message.Answers))
	}
}

func FuzzZoneAnswer(f *testing.F) {
	query := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("cart.shop.svc.cluster.local."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	packed, err := query.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, query []byte) {
		answer, err := testZone(t, 1).answer(query, maxUDPAnswer)
		if err == nil && len(answer) > maxUDPAnswer {
			t.Errorf("an answer of %d bytes", len(answer))
		}
	})
}
