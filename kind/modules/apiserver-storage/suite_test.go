// Package storage asks whether a program that claims to be etcd carries Kubernetes: it runs the
// functions that Kubernetes exports for testing its storage (k8s.io/apiserver/pkg/storage/testing),
// on the etcd3 store and again on the watch cache above it, each over a fresh process of
//
//	STORE_BINARY=/path/to/etcd apiserver-storage.test -test.v -test.timeout 60m
//
// One function alone: -test.run 'TestStore/ListPaging$'. Feature gates stand at their defaults except
// where a test's name says otherwise.
package storage

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/features"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/etcd3"
	suite "k8s.io/apiserver/pkg/storage/testing"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/featuregate"
	gates "k8s.io/component-base/featuregate/testing"
	"k8s.io/klog/v2"
)

func TestMain(m *testing.M) {
	if os.Getenv(binaryVariable) == "" {
		fmt.Fprintf(os.Stderr, "%s is not set: it names the etcd binary to judge\n", binaryVariable)
		os.Exit(2)
	}
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	os.Exit(m.Run())
}

func TestStore(t *testing.T) {
	run(t, func(t *testing.T, _ keyFunc) *layer { return newStoreLayer(t, "") }, everyLayer, storeAlone)
}

func TestCache(t *testing.T) {
	run(t, newCacheLayer, everyLayer, cacheAlone)
}

type (
	keyFunc func(prefix string, object runtime.Object) (string, error)
	// check is one exported function, run under its own name on a fresh layer.
	check struct {
		name string
		run  func(*testing.T, *layer)
		with setup
	}
	setup struct {
		off           featuregate.Feature // a gate to switch off
		clusterScoped bool                // keys without a namespace
	}
	function = func(context.Context, *testing.T, storage.Interface)
)

func run(t *testing.T, build func(*testing.T, keyFunc) *layer, lists ...[]check) {
	for _, list := range lists {
		for _, c := range list {
			t.Run(c.name, func(t *testing.T) {
				key := storage.NamespaceKeyFunc
				if c.with.clusterScoped {
					key = storage.NoNamespaceKeyFunc
				}
				if c.with.off != "" {
					gates.SetFeatureGateDuringTest(t, utilfeature.DefaultFeatureGate, c.with.off, false)
				}
				c.run(t, build(t, key))
			})
		}
	}
}

func plain(f function) func(*testing.T, *layer) {
	return func(t *testing.T, l *layer) { f(l.ctx, t, l) }
}

// settling is for functions that expect a cache to know at once what was created.
func settling(f function) func(*testing.T, *layer) {
	return func(t *testing.T, l *layer) { f(l.ctx, t, settled{l}) }
}

var everyLayer = []check{
	{name: "Create", run: func(t *testing.T, l *layer) { suite.RunTestCreate(l.ctx, t, l, l.stored) }},
	{name: "CreateWithTTL", run: plain(suite.RunTestCreateWithTTL)},
	{name: "CreateWithKeyExist", run: plain(suite.RunTestCreateWithKeyExist)},
	{name: "Get", run: plain(suite.RunTestGet)},
	{name: "UnconditionalDelete", run: plain(suite.RunTestUnconditionalDelete)},
	{name: "ConditionalDelete", run: plain(suite.RunTestConditionalDelete)},
	{name: "DeleteWithSuggestion", run: plain(suite.RunTestDeleteWithSuggestion)},
	{name: "DeleteWithSuggestionAndConflict", run: plain(suite.RunTestDeleteWithSuggestionAndConflict)},
	{name: "DeleteWithConflict", run: plain(suite.RunTestDeleteWithConflict)},
	{name: "DeleteWithSuggestionOfDeletedObject", run: plain(suite.RunTestDeleteWithSuggestionOfDeletedObject)},
	{name: "ValidateDeletionWithSuggestion", run: plain(suite.RunTestValidateDeletionWithSuggestion)},
	{name: "ValidateDeletionWithOnlySuggestionValid", run: plain(suite.RunTestValidateDeletionWithOnlySuggestionValid)},
	{name: "PreconditionalDeleteWithSuggestion", run: plain(suite.RunTestPreconditionalDeleteWithSuggestion)},
	{name: "PreconditionalDeleteWithOnlySuggestionPass", run: plain(suite.RunTestPreconditionalDeleteWithOnlySuggestionPass)},
	{name: "DeleteWithConflictAndMissingExpectedTransformOrDecodeError", run: func(t *testing.T, l *layer) {
		suite.RunTestDeleteWithConflictAndMissingExpectedTransformOrDecodeError(l.ctx, t, l, l.breakValues)
	}},
	{name: "DeleteExpectedTransformError", run: func(t *testing.T, l *layer) {
		suite.RunTestDeleteExpectedTransformOrDecodeError(l.ctx, t, l, l.breakValues)
	}},
	{name: "DeleteExpectedDecodeError", run: func(t *testing.T, l *layer) {
		suite.RunTestDeleteExpectedTransformOrDecodeError(l.ctx, t, l, l.codec.broken.Store)
	}},
	{name: "DeleteWithSuggestionAndMissingExpectedTransformOrDecodeError", run: func(t *testing.T, l *layer) {
		suite.RunTestDeleteWithSuggestionAndMissingExpectedTransformOrDecodeError(l.ctx, t, l)
	}},
	{name: "List", run: list},
	{name: "ListPaging", run: plain(suite.RunTestListPaging)},
	{name: "ConsistentList", run: consistentList},
	{name: "GetListNonRecursive", run: listNonRecursive},
	{name: "GetListRecursivePrefix", run: plain(suite.RunTestGetListRecursivePrefix)},
	{name: "ListContinuation", run: func(t *testing.T, l *layer) { suite.RunTestListContinuation(l.ctx, t, l, l.economy()) }},
	{name: "ListPaginationRareObject", run: func(t *testing.T, l *layer) {
		suite.RunTestListPaginationRareObject(l.ctx, t, l, l.economy())
	}},
	{name: "ListContinuationWithFilter", run: func(t *testing.T, l *layer) {
		suite.RunTestListContinuationWithFilter(l.ctx, t, l, l.economy())
	}},
	{name: "NamespaceScopedList", run: plain(suite.RunTestNamespaceScopedList)},
	{name: "GuaranteedUpdateWithTTL", run: plain(suite.RunTestGuaranteedUpdateWithTTL)},
	{name: "GuaranteedUpdateWithConflict", run: plain(suite.RunTestGuaranteedUpdateWithConflict)},
	{name: "GuaranteedUpdateWithSuggestionAndConflict", run: plain(suite.RunTestGuaranteedUpdateWithSuggestionAndConflict)},
	{name: "Stats", run: stats},
	{name: "Stats,SizeBasedListCostEstimate=false", run: stats, with: setup{off: features.SizeBasedListCostEstimate}},
	{name: "CompactRevision", run: func(t *testing.T, l *layer) {
		suite.RunTestCompactRevision(l.ctx, t, l, l.advance, l.compact)
	}},
	{name: "KeySchema", run: plain(suite.RunTestKeySchema)},
	{name: "Watch", run: plain(suite.RunTestWatch)},
	{name: "WatchFromZero", run: func(t *testing.T, l *layer) {
		compact := l.compact
		if l.cached {
			compact = nil // a cache keeps its own history, and the function then leaves out the part on lost history
		}
		suite.RunTestWatchFromZero(l.ctx, t, l, compact)
	}},
	{name: "WatchFromNonZero", run: plain(suite.RunTestWatchFromNonZero)},
	{name: "DeleteTriggerWatch", run: plain(suite.RunTestDeleteTriggerWatch)},
	{name: "DelayedWatchDelivery", run: plain(suite.RunTestDelayedWatchDelivery)},
	{name: "WatcherTimeout", run: plain(suite.RunTestWatcherTimeout)},
	{name: "WatchDeleteEventObjectHaveLatestRV", run: plain(suite.RunTestWatchDeleteEventObjectHaveLatestRV)},
	{name: "WatchInitializationSignal", run: plain(suite.RunTestWatchInitializationSignal)},
	{name: "WatchDispatchBookmarkEvents", run: func(t *testing.T, l *layer) {
		suite.RunTestWatchDispatchBookmarkEvents(l.ctx, t, l, l.cached)
	}},
	{name: "ClusterScopedWatch", run: plain(suite.RunTestClusterScopedWatch), with: setup{clusterScoped: true}},
	{name: "NamespaceScopedWatch", run: plain(suite.RunTestNamespaceScopedWatch)},
	{name: "SendInitialEventsBackwardCompatibility", run: plain(suite.RunSendInitialEventsBackwardCompatibility)},
	{name: "WatchSemantics", run: settling(suite.RunWatchSemantics)},
	{name: "WatchSemanticInitialEventsExtended", run: settling(suite.RunWatchSemanticInitialEventsExtended)},
	{name: "WatchListMatchSingle", run: settling(suite.RunWatchListMatchSingle)},
}

var storeAlone = []check{
	{name: "List,EtcdRangeStream=false", run: list, with: setup{off: features.EtcdRangeStream}},
	{name: "ConsistentList,EtcdRangeStream=false", run: consistentList, with: setup{off: features.EtcdRangeStream}},
	{name: "WatchSemantics,EtcdRangeStream=false", run: settling(suite.RunWatchSemantics), with: setup{off: features.EtcdRangeStream}},
	{name: "WatchSemanticInitialEventsExtended,EtcdRangeStream=false", run: settling(suite.RunWatchSemanticInitialEventsExtended),
		with: setup{off: features.EtcdRangeStream}},
	{name: "WatchListMatchSingle,EtcdRangeStream=false", run: settling(suite.RunWatchListMatchSingle),
		with: setup{off: features.EtcdRangeStream}},
	{name: "ListInconsistentContinuation", run: func(t *testing.T, l *layer) {
		suite.RunTestListInconsistentContinuation(l.ctx, t, l, l.compact)
	}},
	{name: "ListResourceVersionMatch", run: func(t *testing.T, l *layer) { suite.RunTestListResourceVersionMatch(l.ctx, t, l) }},
	{name: "GetListWithErrorAggregation", run: func(t *testing.T, l *layer) {
		l.Interface = etcd3.NewStoreWithUnsafeCorruptObjectDeletion(l.Interface, podResource)
		suite.RunTestGetListWithErrorAggregation(l.ctx, t, l, corruption())
	}},
	{name: "GetListWithoutErrorAggregation", run: func(t *testing.T, l *layer) {
		suite.RunTestGetListWithoutErrorAggregation(l.ctx, t, l, corruption())
	}, with: setup{off: features.AllowUnsafeMalformedObjectDeletion}},
	{name: "GuaranteedUpdate", run: func(t *testing.T, l *layer) { suite.RunTestGuaranteedUpdate(l.ctx, t, l, l.stored) }},
	{name: "GuaranteedUpdateChecksStoredData", run: func(t *testing.T, l *layer) {
		suite.RunTestGuaranteedUpdateChecksStoredData(l.ctx, t, l)
	}},
	{name: "TransformationFailure", run: func(t *testing.T, l *layer) { suite.RunTestTransformationFailure(l.ctx, t, l) }},
	{name: "WatchError", run: func(t *testing.T, l *layer) { suite.RunTestWatchError(l.ctx, t, l) }},
	{name: "WatchErrorIsBlockingFurtherEvents", run: func(t *testing.T, l *layer) {
		suite.RunWatchErrorIsBlockingFurtherEvents(l.ctx, t, l)
	}},
	{name: "WatchWithUnsafeDelete", run: func(t *testing.T, l *layer) { suite.RunTestWatchWithUnsafeDelete(l.ctx, t, l, corruption()) }},
	{name: "WatchContextCancel", run: plain(suite.RunTestWatchContextCancel)},
	{name: "ProgressNotify", run: func(t *testing.T, l *layer) { suite.RunOptionalTestProgressNotify(l.ctx, t, l, l.advance) }},
}

var cacheAlone = []check{
	{name: "List,ListFromCacheSnapshot=false", run: list, with: setup{off: features.ListFromCacheSnapshot}},
	{name: "ConsistentList,ListFromCacheSnapshot=false", run: consistentList, with: setup{off: features.ListFromCacheSnapshot}},
	{name: "GetListNonRecursive,ListFromCacheSnapshot=false", run: listNonRecursive, with: setup{off: features.ListFromCacheSnapshot}},
	{name: "WatchBookmarksWithCorrectResourceVersion", run: plain(suite.RunTestOptionalWatchBookmarksWithCorrectResourceVersion)},
}

func list(t *testing.T, l *layer) {
	l.streams(t)
	suite.RunTestList(l.ctx, t, l, l.compact, l.cached, l.lists)
}

func consistentList(t *testing.T, l *layer) {
	l.streams(t)
	snapshots := l.cached && on(features.ListFromCacheSnapshot)
	suite.RunTestConsistentList(l.ctx, t, l, l.advance, l.cached, true, snapshots)
}

func listNonRecursive(t *testing.T, l *layer) {
	suite.RunTestGetListNonRecursive(l.ctx, t, l.advance, l)
}

func stats(t *testing.T, l *layer) {
	estimates := on(features.SizeBasedListCostEstimate)
	if estimates && !l.cached { // a cache switches this on by itself
		if err := l.EnableResourceSizeEstimation(l.keys); err != nil {
			t.Fatal(err)
		}
	}
	suite.RunTestStats(l.ctx, t, l, l.codec, l.values, estimates)
}

// corruption is the error that etcd3 keeps private for an object it cannot read.
func corruption() error {
	_, _, err := etcd3.WithCorruptObjErrorHandlingTransformer(unreadable{}).TransformFromStorage(context.Background(), nil, nil)
	return err
}
