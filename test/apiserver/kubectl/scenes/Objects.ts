// Objects under all the ways to change them: apply by client and server, conflicts, patches, edits, prune, kustomize, watches.
import type { Scene } from "../Tour.ts"

const settings = (extra = "", data = "{colour: blue, size: big}"): string => `apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: tour${extra}}}
data: ${data}
`

const editor = `#!/bin/sh
sed -i 's/colour: blue/colour: green/' "$1"
`
const badEditor = `#!/bin/sh
sed -i 's/^  name: settings/  name: Other_Name/' "$1"
`

export const objects: ReadonlyArray<Scene> = [
  {
    name: "applied",
    steps: [
      { run: "diff -f -", input: settings() },
      { run: "apply -f -", input: settings() },
      { run: "apply -f -", input: settings() },
      { run: "diff -f -", input: settings("", "{colour: red}"), only: /^[-+ ]( |\[)|^\[/ },
      { run: "apply -f - --dry-run=server", input: settings("", "{colour: red}") },
      { run: "apply -f - --dry-run=client", input: settings("", "{colour: red}") },
      { run: "apply -f -", input: settings("", "{colour: red}") },
      { run: "apply view-last-applied configmap/settings" },
      { run: "get configmap settings -o yaml --show-managed-fields" },
      { run: "apply -f - --server-side", input: settings("", "{colour: green}") },
      { run: "apply -f - --server-side --force-conflicts", input: settings("", "{colour: green}") },
      { run: "apply -f - --server-side --field-manager=other", input: settings("", "{colour: grey, shape: round}") },
      {
        run: "apply -f - --server-side --field-manager=other --force-conflicts",
        input: settings("", "{colour: grey, shape: round}")
      },
      { run: "apply -f - --server-side --field-manager=third", input: settings("", "{weight: '3'}"), later: true },
      { run: "apply -f - --server-side --field-manager=other", input: settings("", "{colour: grey}"), later: true },
      "get configmap settings -o jsonpath={.data}",
      "get configmap settings -o jsonpath={.metadata.managedFields[*].manager}",
      { run: "get configmap settings -o yaml --show-managed-fields" },
      { run: "edit configmap settings", files: { edit: editor }, env: { KUBE_EDITOR: "./edit" } },
      {
        run: "edit configmap settings",
        files: { bad: badEditor },
        env: { KUBE_EDITOR: "./bad" },
        only: /error|invalid|\[/
      },
      { run: "replace -f -", input: settings("", "{colour: black}") },
      { run: "replace -f -", input: settings().replace("name: settings", "name: none") },
      {
        run: "replace -f -",
        input: settings().replace("metadata: {", "metadata: {resourceVersion: '1', ")
      },
      { run: "replace --force -f -", input: settings("", "{colour: white}") },
      "label configmap settings app=x",
      "label configmap settings app=x --overwrite",
      "label configmap settings 'bad key=1'",
      "label configmap settings app=x --resource-version=1 --overwrite",
      "annotate configmap settings a=b c=d",
      "annotate configmap settings a-",
      "label --list configmap settings",
      'patch configmap settings -p \'{"data":{"added":"1","colour":null}}\'',
      'patch configmap settings --type=json -p \'[{"op":"test","path":"/data/added","value":"2"}]\'',
      'patch configmap settings --type=json -p \'[{"op":"remove","path":"/data/none"}]\'',
      'patch configmap settings --type=merge -p \'{"data":{"added":"1"}}\'',
      "patch configmap settings --type=merge -p '{\"data\":5}'",
      "patch configmap settings -p 'not json'",
      "patch configmap settings --type=merge -p '{\"immutable\":true}'",
      'patch configmap settings --type=merge -p \'{"data":{"added":"2"}}\'',
      "get configmap settings -o yaml",
      "describe configmap settings",
      { run: "create -f -", input: settings() },
      "delete configmap settings --dry-run=server -o name",
      "delete configmap settings -o name",
      "delete configmap settings"
    ]
  },
  {
    name: "strategic",
    long: true,
    steps: [
      {
        run: "create -f - --save-config",
        input: `apiVersion: apps/v1
kind: Deployment
metadata: {name: many}
spec:
  replicas: 0
  selector: {matchLabels: {app: many}}
  template:
    metadata: {labels: {app: many}}
    spec:
      containers:
      - {name: a, image: a:1, env: [{name: X, value: '1'}], ports: [{containerPort: 80}]}
      - {name: b, image: b:1}
`
      },
      'patch deployment many -p \'{"spec":{"template":{"spec":{"containers":[{"name":"b","image":"b:2"}]}}}}\'',
      'patch deployment many -p \'{"spec":{"template":{"spec":{"containers":[{"name":"b","$patch":"delete"}]}}}}\'',
      'patch deployment many -p \'{"spec":{"template":{"spec":{"containers":[{"name":"a","env":[{"name":"Y","value":"2"}]}],"$setElementOrder/containers":[{"name":"a"}]}}}}\'',
      "get deployment many -o jsonpath={.spec.template.spec.containers}",
      'patch deployment many --type=merge -p \'{"spec":{"selector":{"matchLabels":{"app":"x"}}}}\'',
      'patch deployment many --subresource=scale --type=merge -p \'{"spec":{"replicas":0}}\'',
      'patch deployment many --subresource=status --type=merge -p \'{"status":{"observedGeneration":99}}\'',
      "get deployment many --subresource=scale -o jsonpath={.spec.replicas}",
      "scale deployment many --replicas=-1",
      {
        run: "apply -f -",
        input: `apiVersion: apps/v1
kind: Deployment
metadata: {name: many}
spec:
  replicas: 0
  selector: {matchLabels: {app: many}}
  template:
    metadata: {labels: {app: many}}
    spec:
      containers:
      - {name: a, image: a:3, ports: [{containerPort: 80, name: web}, {containerPort: 81}]}
`
      },
      {
        run: "get deployment many -o yaml",
        until: /revision: "5"/,
        only: /^(?!\s*(observedGeneration|generation|reason|message|status)).*$/
      },
      "delete deployment many"
    ]
  },
  {
    name: "bundles",
    steps: [
      {
        run: "apply -k .",
        files: {
          "kustomized-base.yaml": settings(),
          "kustomization.yaml":
            "resources: [kustomized-base.yaml]\nnamePrefix: my-\nnamespace: bundles\ncommonAnnotations: {by: kustomize}\n" +
            "configMapGenerator:\n- {name: made, literals: [a=b]}\n"
        }
      },
      { run: "diff -k .", only: /^\[/ },
      "get configmaps -l app=tour -o name",
      { run: "delete -k .", sorted: true },
      {
        run: "apply -f - --prune -l set=pruned --prune-allowlist=core/v1/ConfigMap",
        input: `apiVersion: v1
kind: ConfigMap
metadata: {name: first, labels: {set: pruned}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: second, labels: {set: pruned}}
`
      },
      {
        run: "apply -f - --prune -l set=pruned --prune-allowlist=core/v1/ConfigMap",
        input: `apiVersion: v1
kind: ConfigMap
metadata: {name: second, labels: {set: pruned}}
`
      },
      "get configmaps -l set=pruned -o name",
      {
        run: "apply -f -",
        input: `apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: of-list}, data: {a: b}}
- {apiVersion: v1, kind: Service, metadata: {name: of-list}, spec: {ports: [{port: 1}]}}
`
      },
      { run: "get configmap,service of-list -o name" },
      { run: "get all" },
      { run: "delete configmap,service of-list" }
    ]
  },
  {
    name: "watched",
    steps: [
      { run: "get configmaps -l watched=yes -w --output-watch-events", start: "events" },
      { run: "get configmaps -l watched=yes --watch-only -o name", start: "names" },
      { run: "create configmap none --dry-run=client", quiet: true },
      { run: "get configmaps", quiet: true },
      {
        run: "create -f -",
        input: "{apiVersion: v1, kind: ConfigMap, metadata: {name: seen, labels: {watched: 'yes'}}, data: {a: '1'}}"
      },
      'patch configmap seen -p \'{"data":{"a":"2"}}\'',
      "label configmap seen watched=no --overwrite",
      "label configmap seen watched=yes --overwrite",
      "delete configmap seen",
      { run: "get -w (events)", stop: "events", until: /DELETED[\s\S]*ADDED[\s\S]*DELETED/ },
      { run: "get -w (names)", stop: "names", until: /(seen[\s\S]*){4}/ },
      "wait configmap/later --for=create --timeout=1s",
      "wait configmap/seen --for=delete --timeout=5s"
    ]
  }
]
