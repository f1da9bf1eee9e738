package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes/scheme"
)

// copyPods has the API server and kwok make one pod, and copies that into etcd for every other place, as if the
// cluster were restored from a backup. To make all of them by requests takes two cores a quarter of an hour.
func (w *world) copyPods(ctx context.Context) error {
	if err := w.makePod(ctx, 0, 0); err != nil {
		return err
	}
	var model *corev1.Pod
	err := w.until("the first pod is ready", func() (int, int) {
		var err error
		model, err = w.client.CoreV1().Pods(namespaceOf(w.serviceAt(0))).Get(ctx, w.places[0], metav1.GetOptions{})
		if err == nil && podReady(model) {
			return 1, 1
		}
		return 0, 1
	})
	if err != nil {
		return err
	}
	batches := (w.pods - 1 + batch - 1) / batch
	return w.many(ctx, "batches of pods", batches, func(ctx context.Context, n int) error {
		var puts []put
		for place := 1 + n*batch; place < min(1+(n+1)*batch, w.pods); place++ {
			pod := w.likeness(model, place)
			w.places[place] = pod.Name
			value, err := stored(pod)
			if err != nil {
				return err
			}
			puts = append(puts, put{[]byte("/registry/pods/" + pod.Namespace + "/" + pod.Name), value})
		}
		return w.putAll(ctx, puts)
	})
}

// podsPerNode is how many copies a node has addresses for.
const podsPerNode = 150

// batch is how many pods are put at once: etcd takes 128 operations in a transaction.
const batch = 100

// likeness is a copy of a ready pod for another place. Its address is above those that kwok gives first.
func (w *world) likeness(model *corev1.Pod, place int) *corev1.Pod {
	pod, manifest := model.DeepCopy(), w.pod(place, 0)
	pod.Namespace, pod.Name, pod.UID, pod.ResourceVersion = manifest.Namespace, manifest.Name, uuid.NewUUID(), ""
	pod.Labels, pod.OwnerReferences = manifest.Labels, manifest.OwnerReferences
	pod.Spec.NodeName = manifest.Spec.NodeName
	pod.Spec.Containers[0].Env, pod.Spec.Containers[0].Image = manifest.Spec.Containers[0].Env, manifest.Spec.Containers[0].Image
	address := podAddress(w.nodeAt(place), byte(100+place/w.nodes)).String()
	pod.Status.PodIP, pod.Status.PodIPs = address, []corev1.PodIP{{IP: address}}
	return pod
}

// stored is a pod as the API server has it in etcd.
func stored(pod *corev1.Pod) ([]byte, error) {
	pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	return runtime.Encode(protobuf.NewSerializer(scheme.Scheme, scheme.Scheme), pod)
}

// put is etcd's PutRequest in the JSON of its gateway, where bytes are base64.
type put struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

// putAll writes keys to etcd in a transaction.
func (w *world) putAll(ctx context.Context, puts []put) error {
	type operation struct {
		Put put `json:"requestPut"`
	}
	var txn struct {
		Success []operation `json:"success"`
	}
	for _, p := range puts {
		txn.Success = append(txn.Success, operation{p})
	}
	text, err := json.Marshal(txn)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.cluster.Config().EtcdURL()+"/v3/kv/txn", bytes.NewReader(text))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("etcd: %s: %s", resp.Status, answer)
	}
	return err
}
