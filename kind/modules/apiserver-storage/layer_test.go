package storage

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/apis/example"
	examplev1 "k8s.io/apiserver/pkg/apis/example/v1"
	"k8s.io/apiserver/pkg/features"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/cacher"
	"k8s.io/apiserver/pkg/storage/etcd3"
	"k8s.io/apiserver/pkg/storage/feature"
	suite "k8s.io/apiserver/pkg/storage/testing"
	"k8s.io/apiserver/pkg/storage/value"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-base/featuregate"
	"k8s.io/utils/clock"
)

const (
	podsPath   = "/pods/"
	cachedRoot = "/registry" // RunTestList expects this root of the keys when there is a cache
	mark       = "sealed:"   // the transformer's prefix on stored values
	nodeIndex  = "spec.nodeName"
)

var (
	podResource = schema.GroupResource{Resource: "pods"}
	versioner   = storage.APIObjectVersioner{}
	podCodec    = newPodCodec()
	errBroken   = errors.New("unreadable on purpose")
)

func newPod() runtime.Object     { return &example.Pod{} }
func newPodList() runtime.Object { return &example.PodList{} }

func newPodCodec() runtime.Codec {
	scheme := runtime.NewScheme()
	v1.AddToGroupVersion(scheme, v1.SchemeGroupVersion)
	for _, add := range []func(*runtime.Scheme) error{example.AddToScheme, examplev1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	return serializer.NewCodecFactory(scheme).LegacyCodec(examplev1.SchemeGroupVersion)
}

func on(gate featuregate.Feature) bool { return utilfeature.DefaultFeatureGate.Enabled(gate) }

// layer is what one function is run on: Kubernetes' etcd3 store, or the watch cache above it, over a
// store process of its own, together with the levers and counters that some functions ask for.
type layer struct {
	storage.Interface
	ctx      context.Context
	cached   bool
	root     string
	direct   *kubernetes.Client // sees the same keys without Kubernetes between
	requests *suite.KVRecorder
	lists    *suite.KubernetesRecorder
	sealer   *suite.PrefixTransformer
	values   *swappable
	codec    *breakable
}

func newStoreLayer(t *testing.T, root string) *layer {
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	t.Cleanup(cancel)
	client := serve(t)
	l := &layer{
		ctx:    ctx,
		root:   root,
		direct: connect(t, client.Endpoints()[0]),
		lists:  suite.NewKubernetesRecorder(client.Kubernetes),
		sealer: suite.NewPrefixTransformer([]byte(mark), false),
		values: &swappable{},
		codec:  &breakable{Codec: podCodec},
	}
	l.values.set(l.sealer)
	l.requests = suite.NewKVRecorder(client.KV, l.lists)
	client.KV, client.Kubernetes = l.requests, l.lists

	// Kubernetes remembers for the whole process what a store can do; every store starts unknown here.
	feature.DefaultFeatureSupportChecker = feature.NewDefaultFeatureSupportChecker()
	compactor := etcd3.NewCompactor(l.direct.Client, 0, clock.RealClock{}, nil)
	t.Cleanup(compactor.Stop)
	leases := etcd3.NewDefaultLeaseManagerConfig()
	leases.ReuseDurationSeconds = 1 // a reused lease would outlive what the functions wait for
	store, err := etcd3.New(client, compactor, l.codec, newPod, newPodList, root, podsPath, podResource,
		l.values, leases, etcd3.NewDefaultDecoder(l.codec, versioner), versioner)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	l.Interface = store
	return l
}

func newCacheLayer(t *testing.T, key keyFunc) *layer {
	l := newStoreLayer(t, cachedRoot)
	l.cached = true
	l.until(t, "Kubernetes asks no progress of this store: Status fails or names an old version", func() bool {
		return feature.DefaultFeatureSupportChecker.Supports(storage.RequestWatchProgress)
	})
	store := l.Interface
	c, err := cacher.NewCacherFromConfig(cacher.Config{
		Storage:             store,
		Versioner:           versioner,
		GroupResource:       podResource,
		EventsHistoryWindow: cacher.DefaultEventFreshDuration,
		ResourcePrefix:      podsPath,
		KeyFunc:             func(object runtime.Object) (string, error) { return key(podsPath, object) },
		GetAttrsFunc:        attributes,
		IndexerFuncs:        storage.IndexerFuncs{nodeIndex: func(object runtime.Object) string { return podOf(object).Spec.NodeName }},
		Indexers: &cache.Indexers{
			storage.FieldIndex(nodeIndex):            func(object any) ([]string, error) { return []string{podOf(object).Spec.NodeName}, nil },
			storage.FieldIndex("metadata.namespace"): func(object any) ([]string, error) { return []string{podOf(object).Namespace}, nil },
		},
		NewFunc:     newPod,
		NewListFunc: newPodList,
		Codec:       l.codec,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	if err := c.Wait(l.ctx); err != nil {
		t.Fatalf("the watch cache never filled: %v", err)
	}
	delegator := cacher.NewCacheDelegator(c, store)
	t.Cleanup(delegator.Stop)
	l.Interface = delegator
	return l
}

func podOf(object any) *example.Pod { return object.(*example.Pod) }

func attributes(object runtime.Object) (labels.Set, fields.Set, error) {
	pod := podOf(object)
	return pod.Labels, fields.Set{
		"metadata.name": pod.Name, "metadata.namespace": pod.Namespace, nodeIndex: pod.Spec.NodeName,
	}, nil
}

// advance moves the store's revision without touching a pod.
func (l *layer) advance(ctx context.Context, t *testing.T) int64 {
	response, err := l.direct.Put(ctx, "elsewhere", "")
	if err != nil {
		t.Fatal(err)
	}
	return response.Header.Revision
}

// compact compacts as apiservers do, who agree through a key of their own on who does it.
func (l *layer) compact(ctx context.Context, t *testing.T, resourceVersion string) {
	wanted, err := versioner.ParseResourceVersion(resourceVersion)
	if err != nil {
		t.Fatal(err)
	}
	agreed, err := l.direct.KV.Get(ctx, "compact_rev_key")
	if err != nil {
		t.Fatal(err)
	}
	var version int64
	for _, pair := range agreed.Kvs {
		version = pair.Version
	}
	_, _, done, err := etcd3.Compact(ctx, l.direct.Client, version, int64(wanted))
	if err != nil || done != int64(wanted) {
		t.Fatalf("asked to compact up to %d, compacted up to %d: %v", wanted, done, err)
	}
	if on(features.ListFromCacheSnapshot) {
		l.until(t, "the compaction was not observed", func() bool { return l.CompactRevision() == done })
	}
}

func (l *layer) keys(ctx context.Context) ([]string, error) {
	response, err := l.direct.KV.Get(ctx, l.root+podsPath, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, err
	}
	keys := make([]string, 0, len(response.Kvs))
	for _, pair := range response.Kvs {
		keys = append(keys, string(pair.Key))
	}
	return keys, nil
}

// stored fails the test when an object is stored with fields that only its readers are told.
func (l *layer) stored(ctx context.Context, t *testing.T, key string) {
	response, err := l.direct.KV.Get(ctx, l.root+key)
	if err != nil || len(response.Kvs) != 1 {
		t.Fatalf("reading %s directly: %v, %v", key, response, err)
	}
	object, err := runtime.Decode(podCodec, bytes.TrimPrefix(response.Kvs[0].Value, []byte(mark)))
	if err != nil {
		t.Fatal(err)
	}
	if pod := podOf(object); pod.ResourceVersion != "" || pod.SelfLink != "" {
		t.Errorf("%s is stored with resource version %q and link %q", key, pod.ResourceVersion, pod.SelfLink)
	}
}

// economy is for functions that list in pages: every object is decoded once, and pages that come back
// short of matches double in size. Nothing is asked of a cache, which answers from memory.
func (l *layer) economy() suite.CallsValidation {
	if l.cached {
		return nil
	}
	return func(t *testing.T, pageSize, objects uint64) {
		calls := uint64(1)
		for size, seen := pageSize, pageSize; pageSize > 0 && seen < objects; calls++ {
			size *= 2
			seen += size
		}
		if decoded := l.sealer.GetReadsAndReset(); decoded != objects {
			t.Errorf("%d objects were decoded, not %d", decoded, objects)
		}
		if made := l.requests.GetReadsAndReset() + l.requests.GetStreamReadsAndReset(); made != calls {
			t.Errorf("%d requests were made, not %d", made, calls)
		}
	}
}

// streams fails the test when Kubernetes gave up RangeStream, or used it though switched off.
func (l *layer) streams(t *testing.T) {
	t.Cleanup(func() {
		used := l.requests.GetStreamReadsAndReset() > 0
		if used != on(features.EtcdRangeStream) || !feature.DefaultFeatureSupportChecker.Supports(storage.RangeStream) {
			t.Errorf("RangeStream is switched on: %v, was used: %v", on(features.EtcdRangeStream), used)
		}
	})
}

// UpdateTransformer replaces the values' transformer until the returned function is called.
func (l *layer) UpdateTransformer(modify suite.TransformerModifier) func() {
	before := *l.values.Load()
	l.values.set(modify(before))
	return func() { l.values.set(before) }
}

// UpdatePrefixTransformer does the same with a copy of the transformer that the layer began with.
func (l *layer) UpdatePrefixTransformer(modify suite.PrefixTransformerModifier) func() {
	return l.UpdateTransformer(func(value.Transformer) value.Transformer {
		sealer := *l.sealer
		return modify(&sealer)
	})
}

func (l *layer) breakValues(broken bool) {
	if broken {
		l.values.set(unreadable{l.sealer})
	} else {
		l.values.set(l.sealer)
	}
}

func (l *layer) until(t *testing.T, otherwise string, done func() bool) {
	t.Helper()
	condition := func(context.Context) (bool, error) { return done(), nil }
	if err := wait.PollUntilContextTimeout(l.ctx, 20*time.Millisecond, patience, true, condition); err != nil {
		t.Fatal(otherwise)
	}
}

// settled is a layer whose Create returns once a cache has seen the object too.
type settled struct{ *layer }

func (s settled) Create(ctx context.Context, key string, object, out runtime.Object, ttl uint64) error {
	if err := s.layer.Create(ctx, key, object, out, ttl); err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		seen := &example.Pod{}
		err := s.Get(ctx, key, storage.GetOptions{ResourceVersion: "0", IgnoreNotFound: true}, seen)
		return seen.ResourceVersion == podOf(out).ResourceVersion, err
	})
}

// swappable is a transformer that can change under a running store.
type swappable struct {
	atomic.Pointer[value.Transformer]
}

func (s *swappable) set(next value.Transformer) { s.Store(&next) }

func (s *swappable) TransformFromStorage(ctx context.Context, data []byte, about value.Context) ([]byte, bool, error) {
	return (*s.Load()).TransformFromStorage(ctx, data, about)
}

func (s *swappable) TransformToStorage(ctx context.Context, data []byte, about value.Context) ([]byte, error) {
	return (*s.Load()).TransformToStorage(ctx, data, about)
}

// unreadable is a transformer that writes but cannot read.
type unreadable struct{ value.Transformer }

func (unreadable) TransformFromStorage(context.Context, []byte, value.Context) ([]byte, bool, error) {
	return nil, false, errBroken
}

// breakable is a codec whose reading can be switched off.
type breakable struct {
	runtime.Codec
	broken atomic.Bool
}

func (b *breakable) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	if b.broken.Load() {
		return nil, nil, errBroken
	}
	return b.Codec.Decode(data, defaults, into)
}
