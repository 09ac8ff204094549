// A client-go program as controllers are made of: shared informers on ConfigMaps and a lister, with client-go's usual settings (protobuf,
// HTTP/2, watch lists, relists). It writes one line of JSON for each event, and what its store holds when it is asked.
// Own code on client-go's interfaces; refuses to judge what it saw.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

type line struct {
	What    string `json:"what"`
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
	Value   string `json:"value,omitempty"`
	Unknown bool   `json:"unknown,omitempty"`
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "informer KUBECONFIG NAMESPACE [control]")
		os.Exit(2)
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	if err != nil {
		panic(err)
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	client := kubernetes.NewForConfigOrDie(config)
	if len(os.Args) > 3 {
		control(client, os.Args[2])
		return
	}

	var lock sync.Mutex
	out := json.NewEncoder(os.Stdout)
	say := func(one line) {
		lock.Lock()
		defer lock.Unlock()
		_ = out.Encode(one)
	}
	of := func(what string, object any) line {
		if gone, is := object.(cache.DeletedFinalStateUnknown); is {
			one := line{What: what, Unknown: true}
			if last, is := gone.Obj.(*corev1.ConfigMap); is {
				one.Name, one.Version, one.Value = last.Name, last.ResourceVersion, last.Data["n"]
			}
			return one
		}
		found := object.(*corev1.ConfigMap)
		return line{What: what, Name: found.Name, Version: found.ResourceVersion, Value: found.Data["n"]}
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(os.Args[2]))
	maps := factory.Core().V1().ConfigMaps()
	_, err = maps.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { say(of("add", object)) },
		UpdateFunc: func(_, object any) { say(of("update", object)) },
		DeleteFunc: func(object any) { say(of("delete", object)) },
	})
	if err != nil {
		panic(err)
	}
	stop := make(chan struct{})
	factory.Start(stop)
	if !cache.WaitForCacheSync(stop, maps.Informer().HasSynced) {
		os.Exit(1)
	}
	say(line{What: "synced"})

	// Each line on the standard input asks for the store; its end ends the program.
	asked := bufio.NewScanner(os.Stdin)
	for asked.Scan() {
		held, err := maps.Lister().ConfigMaps(os.Args[2]).List(labels.Everything())
		if err != nil {
			panic(err)
		}
		sort.Slice(held, func(a, b int) bool { return held[a].Name < held[b].Name })
		for _, one := range held {
			say(line{What: "held", Name: one.Name, Version: one.ResourceVersion, Value: one.Data["n"]})
		}
		say(line{What: "all held"})
	}
	close(stop)
	time.Sleep(10 * time.Millisecond)
}
