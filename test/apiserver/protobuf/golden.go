//go:build tools

// Command golden encodes a few objects as a typed Go client does, in JSON and in Protocol Buffers: what the decoder's test compares.
// `node test/apiserver/GenerateProtobuf.ts` runs it and keeps what it prints.
package main

import (
	"bytes"
	"encoding/json"
	"os"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

var objects = []string{
	`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d","labels":{"a":"b","empty":""},"annotations":{"n":"1"}},"spec":{"replicas":0,"selector":{"matchLabels":{"a":"b"},"matchExpressions":[{"key":"k","operator":"In","values":["x","y"]}]},"strategy":{"rollingUpdate":{"maxSurge":"25%","maxUnavailable":1}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i","ports":[{"containerPort":80}],"env":[{"name":"E","valueFrom":{"secretKeyRef":{"name":"s","key":"k","optional":false}}}],"resources":{"requests":{"cpu":"100m","memory":"1Gi"}},"livenessProbe":{"httpGet":{"path":"/","port":"http"},"periodSeconds":3},"securityContext":{"runAsUser":0,"privileged":false}}],"volumes":[{"name":"v","configMap":{"name":"m","defaultMode":420}},{"name":"e","emptyDir":{"sizeLimit":"1Mi"}}],"terminationGracePeriodSeconds":0,"tolerations":[{"key":"t","tolerationSeconds":0}]}}}}`,
	`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"a":"AAECAw==","empty":""},"immutable":false,"type":"Opaque"}`,
	`{"apiVersion":"v1","kind":"Event","metadata":{"name":"e","namespace":"n"},"involvedObject":{"kind":"Pod","name":"p"},"firstTimestamp":"2026-01-02T03:04:05Z","eventTime":"2026-01-02T03:04:05.123456Z","count":3}`,
	`{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"v"},"spec":{"capacity":{"storage":"10Gi"},"accessModes":["ReadWriteOnce"],"hostPath":{"path":"/x","type":""},"nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"k","operator":"Exists"}]}]}}}}`,
	`{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{"user":"u","groups":["g"],"extra":{"k":["v","w"]},"resourceAttributes":{"verb":"get","resource":"pods"}}}`,
	`{"apiVersion":"certificates.k8s.io/v1","kind":"CertificateSigningRequest","metadata":{"name":"c"},"spec":{"request":"cGVt","signerName":"a.b/c","usages":["client auth"],"expirationSeconds":600}}`,
	`{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingWebhookConfiguration","metadata":{"name":"w"},"webhooks":[{"name":"a.b.c","clientConfig":{"url":"https://x","caBundle":"AQI="},"rules":[{"operations":["CREATE"],"apiGroups":[""],"apiVersions":["v1"],"resources":["pods"],"scope":"*"}],"sideEffects":"None","admissionReviewVersions":["v1"],"timeoutSeconds":5}]}`,
	`{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"h"},"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"d"},"minReplicas":0,"maxReplicas":3,"metrics":[{"type":"External","external":{"metric":{"name":"q"},"target":{"type":"Value","value":"1500m"}}}]}}`,
	`{"apiVersion":"resource.k8s.io/v1","kind":"DeviceClass","metadata":{"name":"x"},"spec":{"config":[{"opaque":{"driver":"d.e","parameters":{"a":[1,"b",null]}}}],"selectors":[{"cel":{"expression":"true"}}]}}`,
	`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"b.x.y"},"spec":{"group":"x.y","scope":"Namespaced","names":{"plural":"b","kind":"B"},"versions":[{"name":"v1","served":true,"storage":false,"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","required":["n"],"properties":{"n":{"type":"integer","minimum":0,"maximum":2.5,"default":3},"l":{"type":"array","items":{"type":"string"},"x-kubernetes-list-type":"set"},"m":{"type":"object","additionalProperties":{"type":"string"}},"o":{"type":"object","x-kubernetes-preserve-unknown-fields":true},"p":{"x-kubernetes-int-or-string":true},"e":{"type":"string","enum":["a","b"]}},"x-kubernetes-validations":[{"rule":"self.n > 0"}]}}}},"subresources":{"status":{}}}]}}`,
	`{"apiVersion":"v1","kind":"DeleteOptions","gracePeriodSeconds":0,"preconditions":{"uid":"u"},"propagationPolicy":"Foreground","dryRun":["All"]}`,
}

type pair struct {
	JSON  json.RawMessage `json:"json"`
	Proto []byte          `json:"proto"`
}

func main() {
	all := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensions.AddToScheme} {
		if err := add(all); err != nil {
			panic(err)
		}
	}
	decoder := serializer.NewCodecFactory(all).UniversalDeserializer()
	encoder := protobuf.NewSerializer(all, all)
	pairs := []pair{}
	for _, text := range objects {
		object, kind, err := decoder.Decode([]byte(text), nil, nil)
		if err != nil {
			panic(err)
		}
		object.GetObjectKind().SetGroupVersionKind(*kind)
		written, err := json.Marshal(object)
		if err != nil {
			panic(err)
		}
		var proto bytes.Buffer
		if err := encoder.Encode(object, &proto); err != nil {
			panic(err)
		}
		pairs = append(pairs, pair{JSON: written, Proto: proto.Bytes()})
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	if err := out.Encode(pairs); err != nil {
		panic(err)
	}
}
