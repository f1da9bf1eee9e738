package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

const pollInterval = 200 * time.Millisecond

// Deployments are those of the shop in its namespace, without the cluster DNS.
func Deployments() []string { return []string{Frontend, Catalog, Cart, Store, Loadgen} }

// WaitReady returns when every pod of the cluster DNS and the shop is ready and
// no pod of an earlier version is left, or, when the context ends first, an
// error that says what is missing.
func WaitReady(ctx context.Context, client kubernetes.Interface) error {
	if err := waitRollout(ctx, client, metav1.NamespaceSystem, ClusterDNS); err != nil {
		return err
	}
	for _, name := range Deployments() {
		if err := waitRollout(ctx, client, Namespace, name); err != nil {
			return err
		}
	}
	return nil
}

// waitRollout waits for one deployment.
func waitRollout(ctx context.Context, client kubernetes.Interface, namespace, name string) error {
	state := "it has not been looked at"
	for {
		deployment, err := client.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		switch {
		case err != nil && ctx.Err() == nil:
			return fmt.Errorf("wait for deployment %s/%s: %w", namespace, name, err)
		case err == nil:
			complete, now := rolledOut(deployment)
			if complete {
				return waitGone(ctx, client, deployment)
			}
			state = now
		}
		if !sleep(ctx, pollInterval) {
			return fmt.Errorf("wait for deployment %s/%s: %w; %s", namespace, name, ctx.Err(), state)
		}
	}
}

// rolledOut tells whether a deployment is complete, and otherwise where it stands.
func rolledOut(deployment *appsv1.Deployment) (bool, string) {
	wanted, status := int32(1), deployment.Status
	if deployment.Spec.Replicas != nil {
		wanted = *deployment.Spec.Replicas
	}
	complete := status.ObservedGeneration >= deployment.Generation && status.Replicas == wanted &&
		status.UpdatedReplicas == wanted && status.AvailableReplicas == wanted
	return complete, fmt.Sprintf("%d of %d pods are of the newest version, %d are available, %d exist",
		status.UpdatedReplicas, wanted, status.AvailableReplicas, status.Replicas)
}

// waitGone waits until no pod of the deployment terminates.
func waitGone(ctx context.Context, client kubernetes.Interface, deployment *appsv1.Deployment) error {
	selector := metav1.FormatLabelSelector(deployment.Spec.Selector)
	for {
		pods, err := client.CoreV1().Pods(deployment.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("list the pods of deployment %s/%s: %w", deployment.Namespace, deployment.Name, err)
		}
		terminating := 0
		if err == nil {
			for _, pod := range pods.Items {
				if pod.DeletionTimestamp != nil {
					terminating++
				}
			}
			if terminating == 0 {
				return nil
			}
		}
		if !sleep(ctx, pollInterval) {
			return fmt.Errorf("wait for deployment %s/%s: %w; %d pods still terminate", deployment.Namespace, deployment.Name, ctx.Err(), terminating)
		}
	}
}

// RollingUpdate gives the containers of a deployment of the shop another
// VERSION, which replaces its pods one by one, and returns when the old ones
// are gone. The version has to differ from the one there is, "1" at first.
func RollingUpdate(ctx context.Context, client kubernetes.Interface, deployment, version string) error {
	// A strategic merge patch finds the container and the variable by name.
	var patch templatePatch
	patch.Spec.Template.Spec.Containers = []containerPatch{{Name: deployment, Env: []corev1.EnvVar{{Name: "VERSION", Value: version}}}}
	body, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("encode the rolling update of %s: %w", deployment, err)
	}
	_, err = client.AppsV1().Deployments(Namespace).Patch(ctx, deployment, types.StrategicMergePatchType, body, metav1.PatchOptions{FieldManager: fieldManager})
	if err != nil {
		return fmt.Errorf("begin the rolling update of %s: %w", deployment, err)
	}
	return waitRollout(ctx, client, Namespace, deployment)
}

type containerPatch struct {
	Name string          `json:"name"`
	Env  []corev1.EnvVar `json:"env"`
}

type templatePatch struct {
	Spec struct {
		Template struct {
			Spec struct {
				Containers []containerPatch `json:"containers"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
}

// Quiesce ends all traffic that starts inside the cluster: it scales loadgen to
// nothing and returns when its pod is gone. Connections that services keep for
// reuse close by themselves within Linger.
func Quiesce(ctx context.Context, client kubernetes.Interface) error {
	return scale(ctx, client, Loadgen, 0)
}

// Resume undoes Quiesce and returns when loadgen's pod is ready.
func Resume(ctx context.Context, client kubernetes.Interface) error {
	return scale(ctx, client, Loadgen, 1)
}

func scale(ctx context.Context, client kubernetes.Interface, deployment string, replicas int32) error {
	wanted := &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: deployment, Namespace: Namespace},
		Spec:       autoscalingv1.ScaleSpec{Replicas: replicas},
	}
	if _, err := client.AppsV1().Deployments(Namespace).UpdateScale(ctx, deployment, wanted, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return fmt.Errorf("scale %s to %d: %w", deployment, replicas, err)
	}
	return waitRollout(ctx, client, Namespace, deployment)
}

// sleep waits, or is false when the context ends first.
func sleep(ctx context.Context, duration time.Duration) bool {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
