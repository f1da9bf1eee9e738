package cluster

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"
)

//go:embed manifest.yaml
var manifest []byte

// applyRoles applies the manifest, by server-side apply.
func applyRoles(ctx context.Context, client kubernetes.Interface) error {
	force := true
	options := metav1.PatchOptions{FieldManager: "fabriclab", Force: &force}
	for _, document := range bytes.Split(manifest, []byte("\n---\n")) {
		var object metav1.PartialObjectMetadata
		if err := yaml.Unmarshal(document, &object); err != nil {
			return fmt.Errorf("parse the role manifest: %w", err)
		}
		body, err := yaml.YAMLToJSON(document)
		if err != nil {
			return fmt.Errorf("parse the role manifest: %w", err)
		}
		roles := client.RbacV1()
		switch object.Kind {
		case "ClusterRole":
			_, err = roles.ClusterRoles().Patch(ctx, object.Name, types.ApplyPatchType, body, options)
		case "ClusterRoleBinding":
			_, err = roles.ClusterRoleBindings().Patch(ctx, object.Name, types.ApplyPatchType, body, options)
		default:
			err = fmt.Errorf("kind %q of %s is not one that is applied here", object.Kind, rbacv1.GroupName)
		}
		if err != nil {
			return fmt.Errorf("apply %s %s: %w", object.Kind, object.Name, err)
		}
	}
	return nil
}
