// Deployments and their like through their lives: rollouts, scaling, waiting, draining, deleting.
import type { Scene } from "../Tour.ts"

const web = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: server
        image: registry.example/web:1
        ports: [{containerPort: 80, name: http}]
`

export const workloads: ReadonlyArray<Scene> = [
  {
    name: "rollouts",
    steps: [
      { run: "apply -f - --record", input: web },
      { run: "rollout status deployment/web --timeout=20s", last: true },
      "rollout history deployment/web",
      "get deployment web -o wide",
      { run: "get deployment web -o yaml", only: /^(?!.*(RANDOM)).*$/, until: /io\/revision/ },
      { run: "get rs,pods -o wide", sorted: true, until: /(Running[\s\S]*){2}/ },
      { run: "describe deployment web", until: /revision: 1/, only: /^(?!\s+Normal|NewReplicaSet|OldReplicaSets).*$/ },
      "set image deployment/web server=registry.example/web:2",
      { run: "rollout status deployment/web --timeout=20s", last: true },
      "annotate deployment/web kubernetes.io/change-cause=second --overwrite",
      { run: "rollout history deployment/web", until: /second/ },
      { run: "rollout history deployment/web --revision=2", only: /^(?!.*hash).*$/ },
      { run: "rollout history deployment/web --revision=9" },
      "rollout undo deployment/web --dry-run=server",
      "rollout undo deployment/web",
      { run: "rollout status deployment/web --timeout=20s", last: true },
      "get deployment web -o jsonpath={.spec.template.spec.containers[0].image}",
      "rollout undo deployment/web --to-revision=9",
      "rollout pause deployment/web",
      "rollout pause deployment/web",
      "rollout undo deployment/web",
      "rollout restart deployment/web",
      "rollout resume deployment/web",
      "rollout restart deployment/web",
      { run: "rollout status deployment/web --timeout=20s", last: true },
      "set env deployment/web STAGE=tour LEVEL-",
      "set env deployment/web --list",
      "set resources deployment/web --limits=cpu=200m,memory=64Mi --requests=cpu=100m",
      "set serviceaccount deployment/web default",
      "set selector service/none app=web",
      "scale deployment/web --replicas=3",
      "scale deployment/web --current-replicas=9 --replicas=1",
      { run: "rollout status deployment/web --timeout=20s", last: true },
      "wait deployment/web --for=condition=Available --timeout=20s",
      "wait deployment/web --for=jsonpath={.status.readyReplicas}=3 --timeout=20s",
      "wait deployment/none --for=condition=Available --timeout=1s",
      "wait deployment/web --for=condition=Never --timeout=1s",
      "expose deployment/web --port=80 --target-port=http",
      "get service web -o wide",
      "set selector service/web app=other",
      "describe service web",
      "autoscale deployment/web --min=1 --max=5 --cpu=80%",
      "get hpa web",
      "set image deployment/web server=registry.example/broken:1",
      { run: "rollout status deployment/web --timeout=2s", last: true },
      "delete deployment web --cascade=orphan",
      {
        run: "get rs -l app=web -o custom-columns=OWNERS:.metadata.ownerReferences[*].name",
        sorted: true,
        until: /none/
      },
      { run: "delete rs,pods -l app=web --wait=false", sorted: true, only: /^\[/ },
      "rollout status deployment/web --timeout=1s",
      "rollout restart pod/none",
      "rollout history service/web"
    ]
  },
  {
    name: "sets",
    long: true,
    steps: [
      {
        run: "apply -f -",
        input: `apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: c, image: registry.example/db:1}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {nodeSelector: {kubernetes.io/hostname: node-1}, containers: [{name: c, image: registry.example/agent:1}]}
`
      },
      { run: "rollout status statefulset/db --timeout=20s", last: true },
      { run: "rollout status daemonset/agent --timeout=20s", last: true },
      { run: "get statefulsets,daemonsets,services -o wide", until: /agent\s+1\s+1\s+1/ },
      "get pod db-0 -o wide",
      { run: "get pods -l app=db --sort-by=.metadata.name -o name" },
      { run: "describe statefulset db", only: /^(?!\s+Normal).*$/ },
      { run: "describe daemonset agent", until: /1 Running \/ 0 Waiting/, only: /^(?!\s+Normal).*$/ },
      { run: "describe pod db-0", only: /^(?!\s+(Normal|Warning)|\s+kube-api-access).*$/ },
      { run: "get endpointslices -o custom-columns=A:.addressType,P:.ports[*].port", until: /5432/ },
      { run: "get endpoints db", until: /5432/ },
      "rollout history statefulset/db",
      "set image statefulset/db c=registry.example/db:2",
      { run: "rollout status statefulset/db --timeout=20s", last: true },
      { run: "rollout history statefulset/db", until: /2/ },
      { run: "get controllerrevisions -l app=db --sort-by=.revision", sorted: true },
      "rollout undo statefulset/db",
      "rollout undo daemonset/agent",
      "scale statefulset/db --replicas=1",
      'patch statefulset db --type=merge -p \'{"spec":{"serviceName":"other"}}\'',
      "delete statefulset db --cascade=foreground --timeout=20s",
      { run: "get pods -l app=db", until: /No resources/ },
      "create poddisruptionbudget agents --selector=app=agent --min-available=1",
      { run: "get pdb agents", until: /agents\s+1\s+N\/A\s+0/ },
      "describe pdb agents",
      "delete daemonset agent --wait=false"
    ]
  },
  {
    name: "nodes",
    steps: [
      "get nodes -o wide",
      "describe node node-2",
      "cordon node-2",
      "cordon node-2",
      "get node node-2",
      "taint node node-2 tour=yes:NoSchedule",
      "taint node node-2 tour=yes:NoSchedule",
      "taint node node-2 tour=no:NoSchedule --overwrite",
      "taint node node-2 tour=yes:Sometimes",
      "label node node-2 zone=a disk=ssd",
      "get nodes -L zone,disk -l disk=ssd",
      "get nodes --show-labels --field-selector=metadata.name=node-2",
      "get nodes --field-selector=spec.unschedulable=true -o name",
      {
        run: "create -f -",
        input: `apiVersion: v1
kind: Pod
metadata: {name: stays, labels: {app: stays}}
spec: {nodeName: node-2, containers: [{name: c, image: i}], terminationGracePeriodSeconds: 1}
`
      },
      { run: "get pod stays -o jsonpath={.status.phase}", until: /Running/ },
      "drain node-2",
      "drain node-2 --force --dry-run=server",
      "drain node-2 --force --timeout=20s",
      "get pod stays",
      "uncordon node-2",
      "taint node node-2 tour-",
      "taint node node-2 tour-",
      "label node node-2 zone- disk-",
      "drain node-9",
      "cordon --selector=none=here",
      "top nodes",
      "top pods"
    ]
  },
  {
    name: "jobs",
    long: true,
    steps: [
      "create job once --image=registry.example/job:1 -- echo hello",
      { run: "wait job/once --for=condition=Complete --timeout=20s" },
      { run: "get job once", until: /Complete/ },
      { run: "describe job once", only: /^(?!\s+Normal|Start Time|Completed At|Duration|\s+.*controller-uid).*$/ },
      "create cronjob nightly --image=registry.example/job:1 --schedule='0 3 * * *' -- run",
      "get cronjob nightly -o wide",
      "create cronjob bad --image=i --schedule='every day'",
      "create job manual --from=cronjob/nightly",
      { run: "get jobs --sort-by=.metadata.name -o wide", until: /manual\s+Complete/ },
      { run: "describe cronjob nightly", only: /^(?!\s+Normal).*$/ },
      'patch cronjob nightly -p \'{"spec":{"suspend":true}}\'',
      'patch job once --type=merge -p \'{"spec":{"parallelism":2}}\'',
      'patch job once --type=merge -p \'{"spec":{"completions":2}}\'',
      "delete job once manual --cascade=background",
      "delete cronjob nightly --dry-run=client",
      "delete cronjob nightly --dry-run=server",
      "delete cronjob nightly"
    ]
  },
  {
    name: "pods",
    long: true,
    steps: [
      "run one --image=registry.example/one:1 --labels=app=one,tier=front --port=80 --env=A=b",
      "run two --image=registry.example/two:1 --labels=app=two,tier=front --restart=Never --command -- sleep 1000",
      "run three --image=registry.example/three:1 --dry-run=server -o yaml",
      "run two --image=i",
      "run Bad_Name --image=i",
      { run: "wait pods --all --for=condition=Ready --timeout=20s", sorted: true },
      "get pods -o wide",
      "get pods --show-labels",
      "get pods -l 'app in (one,two),tier=front' -o name",
      "get pods -l app!=one",
      "get pods -l 'broken in'",
      "get pods --field-selector=status.phase=Running,spec.nodeName=node-1",
      "get pods --field-selector=spec.nothing=1",
      "get pods --sort-by=.metadata.creationTimestamp -o name",
      "get pods -o custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[*].image,QOS:.status.qosClass",
      "get pods -o jsonpath='{range .items[*]}{.metadata.name}={.spec.restartPolicy}{\"\\n\"}{end}'",
      "get pods -o go-template='{{range .items}}{{.metadata.name}} {{end}}'",
      { run: "get pod one -o yaml", only: /^(?!.*kube-api-access).*$/ },
      { run: "get pod one -o json", only: /^(?!.*kube-api-access).*$/ },
      "get pods one none",
      "get pod/one service/none",
      "get pods --chunk-size=1 -o name",
      "get pod one --subresource=status -o jsonpath={.status.phase}",
      'patch pod one --type=json -p \'[{"op":"replace","path":"/spec/containers/0/image","value":"i:2"}]\'',
      'patch pod one --type=merge -p \'{"spec":{"nodeName":"node-9"}}\'',
      'patch pod one --type=merge -p \'{"spec":{"containers":[]}}\'',
      "label pod one tier=back",
      "label pods --all batch=1",
      "annotate pod one note='a b c'",
      "expose pod one --port=80 --name=one-svc --type=NodePort",
      "logs none",
      "exec none -- ls",
      "delete pod one --grace-period=1 --timeout=20s",
      "delete pod two --now --timeout=20s",
      "delete pod none",
      "delete pod none --ignore-not-found",
      "delete pods --all --force --grace-period=0",
      "delete pods -l app=one",
      "get pods"
    ]
  }
]
