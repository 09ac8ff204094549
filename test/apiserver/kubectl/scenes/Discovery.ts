// What the server is asked about itself: versions, resources, explanations, raw paths, identities and permissions.
import type { Scene } from "../Tour.ts"

export const discovery: ReadonlyArray<Scene> = [
  {
    name: "versions",
    steps: [
      "version",
      "version -o json",
      "cluster-info",
      { run: "api-versions", sorted: true },
      { run: "api-resources -o wide --sort-by=name", sorted: true },
      "api-resources --namespaced=false --verbs=list,get -o name --sort-by=name",
      "api-resources --api-group=apps",
      "api-resources --categories=all -o name --sort-by=name",
      "get --raw /version",
      "get --raw /api/v1/namespaces/versions/configmaps/none",
      "get --raw /healthz",
      "get --raw /nothing/here",
      { run: "proxy --port=0", proxied: "/api/v1/namespaces/versions" },
      { run: "proxy --port=0", proxied: "/apis/apps" }
    ]
  },
  {
    name: "explained",
    long: true,
    steps: [
      "explain pods",
      "explain pod.spec.containers.resources",
      "explain deployment --recursive",
      "explain ingress.spec.rules.http.paths.pathType",
      "explain hpa.spec.metrics",
      "explain cronjobs.spec.jobTemplate.spec --recursive",
      "explain networkpolicies.spec.egress",
      "explain csr.spec",
      "explain crd.spec.versions --recursive",
      "explain pod.spec.nothing",
      "explain nothing",
      { run: "explain storageclass -o plaintext-openapiv2", long: true },
      { run: "explain service.spec --recursive", long: true },
      { run: "explain statefulset.spec.updateStrategy", long: true },
      { run: "explain events --api-version=events.k8s.io/v1", long: true }
    ]
  },
  {
    name: "permissions",
    steps: [
      "auth whoami",
      "auth whoami -o yaml",
      "auth whoami --as=alice --as-group=team --as-user-extra=reason=tour",
      "auth can-i create deployments",
      "auth can-i create deployments --as=alice",
      "auth can-i get pods/log --as=alice -v=0",
      "auth can-i --list --as=alice",
      "auth can-i use nothing",
      "auth can-i get /healthz --as=alice",
      "create role reader --verb=get,list,watch --resource=pods,pods/log,deployments.apps",
      "create rolebinding readers --role=reader --user=alice --group=team --serviceaccount=permissions:default",
      { run: "auth can-i list pods --as=alice", until: /yes/ },
      "auth can-i delete pods --as=alice",
      "auth can-i list pods --as=system:serviceaccount:permissions:default",
      "get pods --as=alice",
      "get secrets --as=alice",
      "get nodes --as=alice",
      "delete pod x --as=alice",
      "create deployment d --image=i --as=alice",
      "get pods -A --as=alice",
      "create clusterrole tour-viewer --verb=get --resource=nodes,namespaces --non-resource-url=/metrics",
      "create clusterrole tour-sum --aggregation-rule=tour/sum=true",
      "create clusterrolebinding tour-viewers --clusterrole=tour-viewer --group=team",
      "describe role reader",
      "describe rolebinding readers",
      "describe clusterrole tour-viewer",
      "get roles,rolebindings -o wide",
      {
        run: "auth reconcile -f -",
        input: `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: permissions}
rules:
- {apiGroups: [""], resources: [pods, services], verbs: [get, list]}
`
      },
      "get role reader -o jsonpath={.rules}",
      "create token default --duration=1h",
      "create token default --audience=x --bound-object-kind=Secret --bound-object-name=none",
      "create token none",
      "create token default --duration=1m",
      { run: "delete clusterrole tour-viewer tour-sum", sorted: true },
      "delete clusterrolebinding tour-viewers",
      {
        run: "apply -f - --as=alice",
        input: `apiVersion: v1
kind: ConfigMap
metadata: {name: by-alice}
data: {a: b}
`
      }
    ]
  }
]
