package workload

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
)

const (
	maxUDPAnswer = 1232 // bytes: fits any path without fragments (DNS flag day 2020)
	answerTTL    = 5    // seconds, as CoreDNS's kubernetes plugin has it
)

// zone is the cluster's domain as the API has it: SERVICE.NAMESPACE.svc.DOMAIN
// is the service's ClusterIP, or, for a headless one, its ready endpoints
// (Kubernetes DNS-based service discovery, 2.3 and 2.4, A records only).
type zone struct {
	domain   string // without a final dot
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
	synced   []cache.InformerSynced
}

func newZone(domain string, factory informers.SharedInformerFactory) *zone {
	services, slices := factory.Core().V1().Services(), factory.Discovery().V1().EndpointSlices()
	return &zone{
		domain:   strings.TrimSuffix(domain, "."),
		services: services.Lister(),
		slices:   slices.Lister(),
		synced:   []cache.InformerSynced{services.Informer().HasSynced, slices.Informer().HasSynced},
	}
}

// wait returns when the zone is known, or false when the context ends first.
func (z *zone) wait(ctx context.Context) bool { return cache.WaitForCacheSync(ctx.Done(), z.synced...) }

// answer is the response to a query, of at most limit bytes: a longer one is
// cut to its header and question, marked as truncated.
func (z *zone) answer(query []byte, limit int) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(query)
	if err != nil {
		return nil, fmt.Errorf("parse a DNS query: %w", err)
	}
	if header.Response {
		return nil, fmt.Errorf("parse a DNS query: it is a response")
	}
	question, err := parser.Question()
	if err != nil {
		return nil, fmt.Errorf("parse a DNS question: %w", err)
	}
	response := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: header.ID, Response: true, OpCode: header.OpCode, RecursionDesired: header.RecursionDesired, Authoritative: true,
		},
		Questions: []dnsmessage.Question{question},
	}
	if err := z.resolve(&response, question); err != nil {
		return nil, err
	}
	packed, err := response.Pack()
	if err != nil {
		return nil, fmt.Errorf("encode a DNS response: %w", err)
	}
	if len(packed) <= limit {
		return packed, nil
	}
	response.Header.Truncated, response.Answers, response.Authorities = true, nil, nil
	return response.Pack()
}

// resolve fills in the answers, or the reason why there are none.
func (z *zone) resolve(response *dnsmessage.Message, question dnsmessage.Question) error {
	name := strings.ToLower(strings.TrimSuffix(question.Name.String(), "."))
	inside, ours := strings.CutSuffix(name, "."+z.domain)
	if !ours && name != z.domain {
		// No resolver behind this one: the lab asks for no other names.
		response.Header.RCode, response.Header.Authoritative = dnsmessage.RCodeRefused, false
		return nil
	}
	addresses, exists, err := z.lookup(inside)
	if err != nil {
		response.Header.RCode = dnsmessage.RCodeServerFailure
		return nil
	}
	if !exists {
		response.Header.RCode = dnsmessage.RCodeNameError
	}
	if question.Type == dnsmessage.TypeA {
		for _, address := range addresses {
			response.Answers = append(response.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: answerTTL},
				Body:   &dnsmessage.AResource{A: address.As4()},
			})
		}
	}
	if len(response.Answers) > 0 {
		return nil
	}
	authority, err := z.authority()
	response.Authorities = []dnsmessage.Resource{authority}
	return err
}

// lookup finds SERVICE.NAMESPACE.svc. A name on the way to one exists without
// addresses.
func (z *zone) lookup(inside string) (addresses []netip.Addr, exists bool, err error) {
	parts := strings.Split(inside, ".")
	switch {
	case inside == z.domain || inside == "svc":
		return nil, true, nil
	case len(parts) != 3 || parts[2] != "svc":
		return nil, false, nil
	}
	service, err := z.services.Services(parts[1]).Get(parts[0])
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if service.Spec.ClusterIP != corev1.ClusterIPNone {
		address, err := netip.ParseAddr(service.Spec.ClusterIP)
		if err != nil || !address.Is4() {
			return nil, true, nil // none yet, or none of this family
		}
		return []netip.Addr{address}, true, nil
	}
	addresses, err = z.endpoints(service)
	return addresses, true, err
}

// endpoints are the ready addresses behind a service, in order.
func (z *zone) endpoints(service *corev1.Service) ([]netip.Addr, error) {
	ofService := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service.Name})
	found, err := z.slices.EndpointSlices(service.Namespace).List(ofService)
	if err != nil {
		return nil, err
	}
	var addresses []netip.Addr
	for _, slice := range found {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready != nil && !*endpoint.Conditions.Ready {
				continue
			}
			for _, text := range endpoint.Addresses {
				if address, err := netip.ParseAddr(text); err == nil && address.Is4() {
					addresses = append(addresses, address)
				}
			}
		}
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	return slices.Compact(addresses), nil
}

// authority is the SOA record that tells resolvers how long to remember a
// negative answer (RFC 2308).
func (z *zone) authority() (dnsmessage.Resource, error) {
	var names [3]dnsmessage.Name
	for i, name := range []string{z.domain + ".", "ns.dns." + z.domain + ".", "hostmaster." + z.domain + "."} {
		packed, err := dnsmessage.NewName(name)
		if err != nil {
			return dnsmessage.Resource{}, fmt.Errorf("encode the name %s: %w", name, err)
		}
		names[i] = packed
	}
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: names[0], Class: dnsmessage.ClassINET, TTL: answerTTL},
		Body:   &dnsmessage.SOAResource{NS: names[1], MBox: names[2], Serial: 1, Refresh: 7200, Retry: 1800, Expire: 86400, MinTTL: answerTTL},
	}, nil
}
