// A small controller as controller-runtime makes them, with client-go alone: elected by a Lease, fed by informers, it keeps a Secret and
// a Deployment for each ConfigMap that asks for them, owns them, tells of it in an Event and in the ConfigMap's annotations.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	applymeta "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcore "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
)

const name = "keeper"

func control(client *kubernetes.Clientset, namespace string) {
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Name: name, Namespace: namespace},
		Client:     client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: "one-of-many"},
	}
	leaderelection.RunOrDie(context.Background(), leaderelection.LeaderElectionConfig{
		Lock:          lock,
		LeaseDuration: 15 * time.Second,
		RenewDeadline: 10 * time.Second,
		RetryPeriod:   time.Second,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { keep(ctx, client, namespace) },
			OnStoppedLeading: func() { os.Exit(1) },
		},
	})
}

func keep(ctx context.Context, client *kubernetes.Clientset, namespace string) {
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedcore.EventSinkImpl{Interface: client.CoreV1().Events(namespace)})
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: name})
	selected := informers.WithTweakListOptions(func(options *metav1.ListOptions) { options.LabelSelector = "keep=yes" })
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace), selected)
	maps := factory.Core().V1().ConfigMaps()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())
	add := func(object any) {
		if key, err := cache.MetaNamespaceKeyFunc(object); err == nil {
			queue.Add(key)
		}
	}
	_, err := maps.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    add,
		UpdateFunc: func(_, object any) { add(object) },
	})
	if err != nil {
		panic(err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	fmt.Println(`{"what":"leads"}`)
	for {
		key, over := queue.Get()
		if over {
			return
		}
		_, own, _ := cache.SplitMetaNamespaceKey(key)
		if wanted, err := maps.Lister().ConfigMaps(namespace).Get(own); err == nil {
			if err := reconcile(ctx, client, wanted); err != nil {
				fmt.Fprintln(os.Stderr, key, err)
				queue.AddRateLimited(key)
			} else {
				if wanted.Annotations["kept"] != "yes" {
					recorder.Eventf(wanted, corev1.EventTypeNormal, "Kept", "kept what %s asks for", own)
				}
				queue.Forget(key)
			}
		}
		queue.Done(key)
	}
}

func reconcile(ctx context.Context, client *kubernetes.Clientset, wanted *corev1.ConfigMap) error {
	namespace := wanted.Namespace
	// Written whole, in protobuf, with an owner.
	owner := *metav1.NewControllerRef(wanted, corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	labels := map[string]string{"of": wanted.Name}
	zero := int32(0)
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: wanted.Name, Namespace: namespace, OwnerReferences: []metav1.OwnerReference{owner}},
		Spec: appsv1.DeploymentSpec{
			Replicas: &zero,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: wanted.Data["image"]}}},
			},
		},
	}
	found, err := client.AppsV1().Deployments(namespace).Get(ctx, wanted.Name, metav1.GetOptions{})
	switch {
	case errors.IsNotFound(err):
		if _, err = client.AppsV1().Deployments(namespace).Create(ctx, deployment, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create deployment: %w", err)
		}
	case err != nil:
		return fmt.Errorf("get deployment: %w", err)
	case found.Spec.Template.Spec.Containers[0].Image != wanted.Data["image"]:
		found.Spec.Template.Spec.Containers[0].Image = wanted.Data["image"]
		if _, err = client.AppsV1().Deployments(namespace).Update(ctx, found, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("update deployment: %w", err)
		}
	}
	// Applied by the server.
	applied := applycore.Secret(wanted.Name, namespace).
		WithStringData(map[string]string{"image": wanted.Data["image"]}).
		WithOwnerReferences(applymeta.OwnerReference().
			WithAPIVersion("v1").WithKind("ConfigMap").WithName(wanted.Name).WithUID(wanted.UID).WithController(true))
	if _, err = client.CoreV1().Secrets(namespace).Apply(ctx, applied, metav1.ApplyOptions{FieldManager: name, Force: true}); err != nil {
		return fmt.Errorf("apply secret: %w", err)
	}
	// Patched.
	patch := []byte(`{"metadata":{"annotations":{"kept":"yes"}}}`)
	if _, err = client.CoreV1().ConfigMaps(namespace).Patch(ctx, wanted.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("patch configmap: %w", err)
	}
	return nil
}
