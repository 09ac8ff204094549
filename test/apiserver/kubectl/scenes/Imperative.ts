// `kubectl create` of every kind it knows, and what describe and get show of them.
import { REQUEST } from "../Request.ts"
import type { Scene } from "../Tour.ts"

export const imperative: ReadonlyArray<Scene> = [
  {
    name: "created",
    long: true,
    steps: [
      "create configmap c --from-literal=a=1 --from-literal=b=2",
      { run: "create configmap files --from-file=data.txt", files: { "data.txt": "one\ntwo\n" } },
      "create configmap c --from-literal=a=1",
      "create secret generic s --from-literal=password=hidden",
      "create secret docker-registry r --docker-server=r.example --docker-username=u --docker-password=p --docker-email=e@x",
      "create secret generic typed --type=kubernetes.io/basic-auth --from-literal=other=x",
      "create secret generic ssh --type=kubernetes.io/ssh-auth --from-literal=ssh-privatekey=k",
      "get secrets --sort-by=.metadata.name",
      "describe secret s",
      "describe configmap files",
      "create serviceaccount robot",
      "describe serviceaccount robot",
      "create quota q --hard=pods=2,cpu=1,configmaps=4",
      "describe quota q",
      "create quota scoped --hard=pods=1 --scopes=BestEffort,Terminating",
      "create quota scoped --hard=cpu=1 --scopes=BestEffort",
      "create quota bad --hard=apples=1",
      "create service clusterip ci --tcp=80:8080",
      "create service nodeport np --tcp=80:8080",
      "create service loadbalancer lb --tcp=80:8080",
      "create service externalname en --external-name=example.com",
      "create service clusterip None --clusterip=None",
      "get services -o wide --sort-by=.metadata.name",
      "describe service np",
      "describe service en",
      "create ingress in --class=nginx --rule='a.example/path*=ci:80,tls=cert' --rule='b.example/=np:80' --default-backend=ci:80",
      "get ingress in",
      "describe ingress in",
      "create ingress bad --rule='/x=ci:80' --class=Bad_Class",
      "create priorityclass tour-high --value=1000 --description=tour --preemption-policy=Never",
      "create priorityclass tour-higher --value=2000000000",
      "get priorityclass tour-high -o wide",
      "describe priorityclass tour-high",
      "create namespace created-more --dry-run=server -o yaml",
      "create namespace Created",
      "describe namespace created",
      "create deployment dep --image=a:1 --image=b:1 --replicas=0 --port=80 -o yaml --dry-run=client",
      "create deployment dep --image=a:1 --replicas=0",
      "get deployment dep -o jsonpath={.spec.strategy}",
      "get quota q -o yaml",
      { run: "delete priorityclass tour-high" },
      "create -f none.yaml"
    ]
  },
  {
    name: "cluster-kinds",
    steps: [
      {
        run: "apply -f -",
        input: `apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: tour-fast, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: example.com/fast
parameters: {type: ssd}
---
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: tour.example.com}
spec: {tokenRequests: [{audience: a}]}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: tour-nginx}
spec: {controller: example.com/nginx, parameters: {kind: Params, name: p}}
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: tour-runtime}
handler: runc
overhead: {podFixed: {cpu: 10m}}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: tour-volume}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /x}, storageClassName: none}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim, namespace: cluster-kinds}
spec: {accessModes: [ReadWriteOnce], storageClassName: none, resources: {requests: {storage: 1Gi}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: policy, namespace: cluster-kinds}
spec: {podSelector: {matchLabels: {a: b}}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24}}], ports: [{port: 80}]}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: tour-hook}
webhooks:
- name: a.tour.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Ignore
  clientConfig: {url: "https://hook.example/x"}
  rules: [{apiGroups: [none.example.com], apiVersions: [v1], operations: [CREATE], resources: [things]}]
---
apiVersion: v1
kind: LimitRange
metadata: {name: limits, namespace: cluster-kinds}
spec: {limits: [{type: Container, default: {cpu: 100m}, max: {cpu: 1}}]}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: lease, namespace: cluster-kinds}
spec: {holderIdentity: me, leaseDurationSeconds: 10}
`
      },
      { run: "get pv tour-volume", until: /Bound/ },
      { run: "get pvc claim", until: /Bound/ },
      "get storageclass tour-fast",
      "get storageclass",
      "describe storageclass tour-fast",
      "get csidriver,ingressclass,runtimeclass",
      "describe ingressclass tour-nginx",
      "get networkpolicy policy",
      "describe networkpolicy policy",
      "get validatingwebhookconfigurations tour-hook -o yaml",
      "describe pv tour-volume",
      { run: "describe pvc claim", only: /^(?!Events|\s+(Type|----|Warning|Normal)).*$/ },
      "describe limits limits",
      "get lease lease -o wide",
      "get storageclass tour-fast -o yaml",
      "get csidriver tour.example.com -o yaml",
      'patch storageclass tour-fast --type=merge -p \'{"provisioner":"x.example/y"}\'',
      'patch pv tour-volume --type=merge -p \'{"spec":{"hostPath":{"path":"/y"}}}\'',
      'patch pvc claim --type=merge -p \'{"spec":{"accessModes":["ReadWriteMany"]}}\'',
      'patch runtimeclass tour-runtime --type=merge -p \'{"handler":"other"}\'',
      'patch ingressclass tour-nginx --type=merge -p \'{"spec":{"controller":"other.example/x"}}\'',
      { run: "get priorityclasses -o wide" },
      { run: "get clusterroles -o name", sorted: true },
      { run: "get flowschemas,prioritylevelconfigurations", sorted: true },
      { run: "get apiservices", sorted: true },
      { run: "get namespaces -o name", only: /kube-|default/ },
      { run: "get servicecidrs" },
      { run: "get componentstatuses", sorted: true },
      {
        run: "delete pvc/claim pv/tour-volume storageclass/tour-fast csidriver/tour.example.com ingressclass/tour-nginx runtimeclass/tour-runtime validatingwebhookconfiguration/tour-hook",
        sorted: true
      }
    ]
  },
  {
    name: "certificates",
    steps: [
      {
        run: "create -f -",
        input: JSON.stringify({
          apiVersion: "certificates.k8s.io/v1",
          kind: "CertificateSigningRequest",
          metadata: { name: "tour-bad" },
          spec: {
            request: "bm90aGluZw==",
            signerName: "example.com/tour",
            usages: ["client auth", "dancing"]
          }
        })
      },
      {
        run: "create -f -",
        input: JSON.stringify({
          apiVersion: "certificates.k8s.io/v1",
          kind: "CertificateSigningRequest",
          metadata: { name: "tour-one" },
          spec: { request: REQUEST, signerName: "example.com/tour", usages: ["client auth"], expirationSeconds: 3600 }
        })
      },
      "get csr tour-one",
      "certificate approve tour-one",
      "certificate approve tour-one",
      "certificate deny tour-one",
      "get csr tour-one -o jsonpath={.status.conditions[*].type}",
      "describe csr tour-one",
      "certificate deny none",
      "certificate approve tour-one --as=alice",
      "get csr --field-selector=spec.signerName=example.com/tour",
      "delete csr tour-one"
    ]
  }
]
