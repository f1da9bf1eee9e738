package kube

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metainternal "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"
)

// pageSize is how many objects are asked for at once. Each page of an old server has its etcd count all that there are, so
// that small ones are slow; of a large one all is in memory.
const pageSize = 2000

// partial is a store that takes what is listed as it comes. What is not there is not gone before Replace says so.
type partial interface {
	part(objects []runtime.Object) error
}

// pages lists everything as it is now, and keeps of each page only what the store does.
//
// A list that begins with the newest version is never older than what was known before: one from the cache of a server that
// has just started could be. And only such a list comes in pages: 150,000 pods from a cache are one answer of hundreds of
// megabytes.
func (f *followed) pages(ctx context.Context) (runtime.Object, error) {
	p := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		page, err := f.ListWatch.ListWithContext(ctx, options)
		if err != nil {
			return nil, err
		}
		return f.reduce(page)
	})
	p.PageSize = pageSize
	list, _, err := p.ListWithAlloc(ctx, metav1.ListOptions{})
	return list, err
}

// reduce gives a list of what the store keeps of the objects of a page.
func (f *followed) reduce(page runtime.Object) (runtime.Object, error) {
	from, err := meta.ListAccessor(page)
	if err != nil {
		return nil, fmt.Errorf("listed a %T", page)
	}
	list := &metainternal.List{Items: make([]runtime.Object, 0, meta.LenList(page))}
	list.ResourceVersion, list.Continue, list.RemainingItemCount = from.GetResourceVersion(), from.GetContinue(), from.GetRemainingItemCount()
	reduce := f.Transformer()
	err = meta.EachListItemWithAlloc(page, func(o runtime.Object) error {
		slim(o)
		if reduce == nil {
			list.Items = append(list.Items, o)
			return nil
		}
		kept, err := reduce(o)
		if err == nil {
			list.Items = append(list.Items, kept.(runtime.Object))
		}
		return err
	})
	if to, ok := f.ReflectorStore.(partial); ok && err == nil {
		err = to.part(list.Items)
	}
	return list, err
}
