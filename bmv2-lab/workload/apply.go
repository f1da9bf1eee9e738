package workload

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"text/template"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"
)

//go:embed manifest.yaml
var manifest string

// Names that the functions of this package find the shop by.
const (
	Namespace    = "shop"
	Frontend     = "frontend"
	Catalog      = "catalog"
	Cart         = "cart"
	Store        = "store"
	Loadgen      = "loadgen"
	ClusterDNS   = "cluster-dns" // in kube-system
	fieldManager = "fabriclab"
)

// Options are what the manifests leave open.
type Options struct {
	Image      string     // stands for the executable that runs Main, see node.Config.Images
	DNSAddress netip.Addr // the ClusterIP of kube-dns
	NodePort   uint16     // of frontend
	Replicas   int        // of each service
	Rate       float64    // requests a second that loadgen makes
}

// DefaultOptions are those of the lab's cluster blue.
func DefaultOptions() Options {
	return Options{
		Image:      "fabricscope/shop",
		DNSAddress: netip.MustParseAddr("10.96.0.10"),
		NodePort:   30080,
		Replicas:   2,
		Rate:       3,
	}
}

// Validate names every option that cannot work.
func (o Options) Validate() error {
	var problems []error
	if o.Image == "" || strings.ContainsAny(o.Image, " \n\"'{}") {
		problems = append(problems, fmt.Errorf("workload options: Image %q is not an image name", o.Image))
	}
	if !o.DNSAddress.Is4() {
		problems = append(problems, fmt.Errorf("workload options: DNSAddress %v is not an IPv4 address", o.DNSAddress))
	}
	if o.NodePort < 30000 || o.NodePort > 32767 {
		problems = append(problems, fmt.Errorf("workload options: NodePort %d is not in 30000..32767", o.NodePort))
	}
	if o.Replicas < 1 {
		problems = append(problems, fmt.Errorf("workload options: Replicas %d is less than 1", o.Replicas))
	}
	if o.Rate <= 0 || o.Rate > 1000 {
		problems = append(problems, fmt.Errorf("workload options: Rate %v is not in 0..1000", o.Rate))
	}
	return errors.Join(problems...)
}

// serviceEntry is a service of the shop in the manifest template.
type serviceEntry struct {
	Name, Tier string
	Calls      []string
	Padding    int // bytes
	NodePort   uint16
	Headless   bool // has a second service, NAME-pods, that is its pods' addresses
}

// manifestValues is what the manifest template sees.
type manifestValues struct {
	Options
	Namespace string
	Services  []serviceEntry
}

// documents renders the manifests: one JSON object each, in an order in which
// they can be applied.
func documents(options Options) ([][]byte, error) {
	parsed, err := template.New("manifest.yaml").Option("missingkey=error").Parse(manifest)
	if err != nil {
		return nil, fmt.Errorf("parse the manifest template: %w", err)
	}
	values := manifestValues{Options: options, Namespace: Namespace, Services: []serviceEntry{
		{Name: Frontend, Tier: "web", Calls: []string{Catalog, Cart}, Padding: 2000, NodePort: options.NodePort},
		{Name: Catalog, Tier: "backend", Padding: 6000},
		{Name: Cart, Tier: "backend", Calls: []string{Store}, Padding: 200},
		{Name: Store, Tier: "data", Padding: 1000, Headless: true},
	}}
	var rendered bytes.Buffer
	if err := parsed.Execute(&rendered, values); err != nil {
		return nil, fmt.Errorf("render the manifests: %w", err)
	}
	var all [][]byte
	for _, document := range bytes.Split(rendered.Bytes(), []byte("\n---\n")) {
		object, err := yaml.YAMLToJSONStrict(document)
		if err != nil {
			return nil, fmt.Errorf("parse a rendered manifest: %w\n%s", err, document)
		}
		all = append(all, object)
	}
	return all, nil
}

// Apply creates or updates the cluster DNS and the shop, by server-side apply.
// It does not wait for pods: see WaitReady.
func Apply(ctx context.Context, client kubernetes.Interface, options Options) error {
	if err := options.Validate(); err != nil {
		return err
	}
	objects, err := documents(options)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := applyObject(ctx, client, object); err != nil {
			return err
		}
	}
	return nil
}

func applyObject(ctx context.Context, client kubernetes.Interface, object []byte) error {
	var head metav1.PartialObjectMetadata
	if err := yaml.Unmarshal(object, &head); err != nil {
		return fmt.Errorf("parse a manifest: %w", err)
	}
	path, err := objectPath(head)
	if err != nil {
		return err
	}
	err = client.Discovery().RESTClient().Patch(types.ApplyPatchType).AbsPath(path).
		Param("fieldManager", fieldManager).Param("force", "true").Body(object).Do(ctx).Error()
	if err != nil {
		return fmt.Errorf("apply %s %s: %w", head.Kind, head.Name, err)
	}
	return nil
}

// objectPath is the API path of an object of one of the kinds in the manifests.
func objectPath(head metav1.PartialObjectMetadata) (string, error) {
	plurals := map[string]string{
		"v1/Namespace":       "namespaces",
		"v1/Service":         "services",
		"v1/ServiceAccount":  "serviceaccounts",
		"apps/v1/Deployment": "deployments",
		"rbac.authorization.k8s.io/v1/ClusterRole":        "clusterroles",
		"rbac.authorization.k8s.io/v1/ClusterRoleBinding": "clusterrolebindings",
	}
	plural, known := plurals[head.APIVersion+"/"+head.Kind]
	if !known {
		return "", fmt.Errorf("apply %s %s: the kind %s of %s is not known here", head.Kind, head.Name, head.Kind, head.APIVersion)
	}
	if problems := validation.IsDNS1123Subdomain(head.Name); len(problems) > 0 {
		return "", fmt.Errorf("apply %s %q: %s", head.Kind, head.Name, strings.Join(problems, ", "))
	}
	root := "/apis/"
	if !strings.Contains(head.APIVersion, "/") {
		root = "/api/"
	}
	if head.Namespace == "" {
		return root + head.APIVersion + "/" + plural + "/" + head.Name, nil
	}
	return root + head.APIVersion + "/namespaces/" + head.Namespace + "/" + plural + "/" + head.Name, nil
}
