package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// behind is an API server of pods that does not know lists as streams, and whose cache is older than what it stores: version
// 0 is what the cache has. Pages have one pod.
type behind struct {
	cached, stored []string // names of pods
	newest         string   // the version that it is at once all was listed
	events         *io.PipeReader
}

const storedVersion = "100"

// RoundTrip implements http.RoundTripper.
func (b *behind) RoundTrip(request *http.Request) (*http.Response, error) {
	q := request.URL.Query()
	switch {
	case request.URL.Path != "/api/v1/pods":
		return answer(http.StatusNotFound, metav1.Status{Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound})
	case q.Get("sendInitialEvents") == "true":
		return answer(http.StatusUnprocessableEntity, metav1.Status{Status: metav1.StatusFailure, Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid})
	case q.Get("watch") != "":
		if q.Get("resourceVersion") != storedVersion {
			return nil, fmt.Errorf("watched from %q", q.Get("resourceVersion"))
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: b.events}, nil
	case q.Get("resourceVersion") == "0":
		return answer(http.StatusOK, listOf("50", "", b.cached))
	case q.Get("limit") == "1":
		return answer(http.StatusOK, listOf(b.newest, "more", b.stored[:1]))
	}
	var n int
	if token := q.Get("continue"); token != "" {
		if _, err := fmt.Sscan(token, &n); err != nil {
			return nil, err
		}
	}
	next := ""
	if n+1 < len(b.stored) {
		next = fmt.Sprint(n + 1)
	}
	return answer(http.StatusOK, listOf(storedVersion, next, b.stored[n:n+1]))
}

func listOf(version, next string, names []string) *corev1.PodList {
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: version, Continue: next}}
	list.APIVersion, list.Kind = "v1", "PodList"
	for _, name := range names {
		list.Items = append(list.Items, *podOf(name, version))
	}
	return list
}

func podOf(name, version string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), ResourceVersion: version}}
	p.APIVersion, p.Kind = "v1", "Pod"
	return p
}

func answer(code int, body any) (*http.Response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(text)))}, nil
}

// following is a cluster whose pods are followed again, after a run in which the pod old was known.
type following struct {
	*testing.T
	sink   *told
	events *io.PipeWriter
}

// follow runs f, in a bubble, while the pods of an API server are followed that is behind.
func follow(t *testing.T, f func(*following)) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		api := &behind{cached: []string{"old"}, stored: []string{"brief", "new", "other"}, newest: "120", events: read}
		metrics, err := newMetrics(nil)
		if err != nil {
			t.Fatal(err)
		}
		sink := &told{now: map[inventory.Ref]inventory.Fact{}, resumed: time.Now()}
		for _, known := range []inventory.Fact{inventory.Cluster{Name: "blue", State: synced}, inventory.Pod{Cluster: "blue", UID: "old"}} {
			sink.now[known.Ref()] = known
		}
		c := &cluster{name: "blue", access: access{cluster: Cluster{Name: "blue"}, rest: &rest.Config{Host: "http://blue", Transport: api}},
			retry: retry{time.Second, time.Second}, look: time.Hour, sink: sink, log: slog.New(slog.DiscardHandler), now: time.Now, since: sink.resumed, metrics: metrics}
		c.entrances = newEntrances(c)
		c.watched = []resource{{"pods", corev1.SchemeGroupVersion, &corev1.Pod{}, newMirror(c, "pods", pods{}), false}}
		c.health = newHealth(c, c.watched)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); c.run(ctx) }()
		f(&following{t, sink, write})
		cancel()
		if err := write.Close(); err != nil {
			t.Error(err)
		}
		<-ended
	})
}

// send has the watch tell of a pod.
func (f *following) send(event, name, version string) {
	f.Helper()
	text, err := json.Marshal(podOf(name, version))
	if err != nil {
		f.Fatal(err)
	}
	if err := json.NewEncoder(f.events).Encode(metav1.WatchEvent{Type: event, Object: runtime.RawExtension{Raw: text}}); err != nil {
		f.Fatal(err)
	}
}

// expect compares the pods that there are, and whether that is said to be known, once nothing moves.
func (f *following) expect(when string, known bool, names ...string) {
	f.Helper()
	synctest.Wait()
	f.sink.mu.Lock()
	defer f.sink.mu.Unlock()
	var got []string
	for r := range f.sink.now {
		if r.Kind == inventory.KindPod {
			got = append(got, r.ID)
		}
	}
	slices.Sort(got)
	_, gap := f.sink.now[inventory.Gap{Cluster: "blue"}.Ref()]
	if !slices.Equal(got, names) || gap == known {
		f.Errorf("%s: pods %v, known %v; want %v, %v", when, got, !gap, names, known)
	}
}

// TestListIsNewest has a server that would answer from a cache with what was long ago: what there is is never older than what
// was known, and it is not called known before the watch has told what happened while everything was listed.
func TestListIsNewest(t *testing.T) {
	t.Run("the watch comes to the newest version", func(t *testing.T) {
		follow(t, func(f *following) {
			f.expect("listed", false, "brief", "new", "other")
			time.Sleep(certain / 4)
			f.send("DELETED", "brief", "110")
			f.expect("on the way", false, "new", "other")
			time.Sleep(certain / 4)
			f.send("ADDED", "late", "120")
			f.expect("there", true, "late", "new", "other")
		})
	})
	t.Run("the version is of other resources", func(t *testing.T) {
		follow(t, func(f *following) {
			time.Sleep(silence*certain - 1)
			f.expect("quiet", false, "brief", "new", "other")
			time.Sleep(1)
			f.expect("quiet for long", true, "brief", "new", "other")
		})
	})
	t.Run("the watch tells more for long", func(t *testing.T) {
		follow(t, func(f *following) {
			for version := 101; version < 120; version++ {
				time.Sleep(certain / 2)
				f.send("MODIFIED", "new", fmt.Sprint(version))
				f.expect("on the way", false, "brief", "new", "other")
			}
			f.send("MODIFIED", "new", "120")
			f.expect("there", true, "brief", "new", "other")
		})
	})
}
