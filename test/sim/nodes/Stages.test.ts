// Stages from files and stages in code: paths, templates and refusals; and the compiled fast stages against the same text as templates.
import { assert, describe, it } from "vitest"
import {
  applyStrategicMergePatch,
  isJsonObject,
  type Json,
  type JsonObject,
  type KubeObject,
  schemaOfKind
} from "#kube"
import {
  chooseStage,
  drawDelay,
  fastPodStages,
  GoTemplate,
  kubeletPodStages,
  parseKeyPath,
  parseStages,
  RandomStream,
  type Stage,
  type StagePlace
} from "#sim"

const place: StagePlace = {
  nowMs: Date.UTC(2026, 0, 1),
  now: "2026-01-01T00:00:00Z",
  nodeName: "node-0",
  nodeIp: "172.16.0.1",
  nodeIps: [{ ip: "172.16.0.1" }],
  nodePort: 10_250,
  podIp: () => "10.0.0.7"
}

const withStatus = (pod: KubeObject, status: JsonObject): KubeObject => ({ ...pod, status })

describe("paths", () => {
  const pod: Json = {
    metadata: { labels: { "a.b/c": "x" } },
    status: {
      conditions: [
        { type: "Ready", status: "True" },
        { type: "Other", status: "False" }
      ],
      empty: null,
      phase: "Running"
    }
  }
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<Json> | undefined]> = [
    [".status.phase", ["Running"]],
    ['.metadata.labels["a.b/c"]', ["x"]],
    ['.status.conditions.[] | select( .type == "Ready" ) | .status', ["True"]],
    [".status.conditions[].type", ["Ready", "Other"]],
    [".status.conditions[1].type", ["Other"]],
    [".status.conditions[-1].type", ["Other"]],
    ['.status.conditions[] | select(.type != "Ready") | .type', ["Other"]],
    [".status.empty", []],
    [".status.nothing.below", []],
    [".status.phase.below", undefined],
    [".nothing.[]", undefined]
  ]
  for (const [path, found] of cases) it(`finds ${path}`, () => assert.deepStrictEqual(parseKeyPath(path)(pod), found))
  for (const bad of ["status", ".a | map(.b)", ".a[", '.a["b]', ".a | select(.b)", ".a b"])
    it(`refuses ${bad}`, () => assert.throws(() => parseKeyPath(bad), /path .* at character/))
})

describe("templates", () => {
  const render = (text: string, data: unknown): string =>
    new GoTemplate(text, { Shout: (value) => `${String(value)}!` }).render(data)
  const cases: ReadonlyArray<readonly [string, unknown, string]> = [
    ["{{ .a.b }}", { a: { b: 3 } }, "3"],
    ["{{ .a.b }}", {}, "<no value>"],
    ['{{ or .a "x" }}{{ and .a "y" }}', { a: "" }, "x"],
    ["{{ range $i, $v := .list }}{{ $i }}{{ $v.n }} {{ end }}", { list: [{ n: "a" }, { n: "b" }] }, "0a 1b "],
    ["{{ range .none }}x{{ else }}nobody{{ end }}", {}, "nobody"],
    ["{{ with .a }}{{ .b }}{{ else }}no{{ end }}", { a: { b: "yes" } }, "yes"],
    ['{{ if eq .a "1" "2" }}few{{ else if .a }}many{{ else }}none{{ end }}', { a: "2" }, "few"],
    ["{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", {}, "2"],
    ['{{ .a | printf "%s-%d" "n" | Shout }}', { a: 7 }, "n-7!"],
    ["{{ index .m `k` }}{{ index . `list` 1 }}", { m: { k: "v" }, list: [1, 2] }, "v2"],
    ["a {{- /* nothing */ -}} b{{/* x */}}", {}, "ab"],
    ["{{ ( index .list 0 ).n }}", { list: [{ n: "deep" }] }, "deep"],
    ["{{ eq .a .b }}", { a: 1, b: 1 }, "true"]
  ]
  for (const [text, data, out] of cases) it(`renders ${text}`, () => assert.strictEqual(render(text, data), out))
  for (const bad of ["{{ if .a }}", "{{ nope .a }}", "{{ .a", "{{ end }}", "{{ ( .a }}", '{{ "a }}'])
    it(`refuses ${bad}`, () => assert.throws(() => render(bad, {}), /template action/))
})

describe("stage files", () => {
  const stage = (spec: string): string =>
    `apiVersion: kwok.x-k8s.io/v1alpha1\nkind: Stage\nmetadata: {name: s}\nspec:\n  resourceRef: {apiGroup: v1, kind: Pod}\n${spec}`
  it("reads delays from annotations, times and defaults", () => {
    const [{ stage: read }] = parseStages(
      stage(`  selector: {matchLabels: {a: b}}
  weight: 2
  weightFrom: {expressionFrom: '.metadata.annotations["w"]'}
  delay: {durationMilliseconds: 10, durationFrom: {expressionFrom: '.metadata.annotations["d"]'}, jitterDurationFrom: {expressionFrom: .metadata.deletionTimestamp}}
  next: {delete: true, finalizers: {remove: [{value: x}], add: [{value: y}]}}`)
    )
    const pod = (metadata: KubeObject["metadata"]): KubeObject => ({ apiVersion: "v1", kind: "Pod", metadata })
    assert.isTrue(read.matches(pod({ labels: { a: "b" } })))
    assert.isFalse(read.matches(pod({})))
    assert.deepStrictEqual(read.delay(pod({}), 0), { fromMs: 10, toMs: 10 })
    const timed = pod({ annotations: { d: "1.5s", w: "7" }, deletionTimestamp: "1970-01-01T00:00:05Z" })
    assert.deepStrictEqual(read.delay(timed, 2000), { fromMs: 1500, toMs: 3000 })
    assert.strictEqual(read.weight(timed), 7)
    assert.strictEqual(read.weight(pod({})), 2)
    const [finalizers] = read.steps
    assert(finalizers.kind === "finalizers")
    assert.deepStrictEqual(finalizers.change(["x", "z"]), ["z", "y"])
  })
  const refused: ReadonlyArray<readonly [string, RegExp]> = [
    ["  selectors: {}", /selectors/],
    ["  selector: {matchExpressions: [{key: .a, operator: Near, values: [b]}]}", /operator Near|takes no values/],
    ["  selector: {matchExpressions: [{key: .a, operator: In}]}", /needs values/],
    ["  selector: {matchExpressions: [{cel: {expression: 'true'}}]}", /matchExpressions/],
    ["  next: {statusTemplate: '{{ nope }}'}", /nope, which is no function/]
  ]
  for (const [spec, message] of refused)
    it(`refuses ${spec.trim()}`, () => assert.throws(() => parseStages(stage(spec)), message))
})

const fastTemplates = `
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: pod-ready}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
    - {key: '.metadata.deletionTimestamp', operator: DoesNotExist}
    - {key: '.status.phase', operator: In, values: [Pending]}
    - {key: '.status.conditions.[] | select( .type == "Ready" ) | .status', operator: NotIn, values: ["True"]}
  next:
    statusTemplate: |
      conditions:
      {{ range $type := list "Initialized" "Ready" "ContainersReady" }}
      - {lastTransitionTime: {{ Now | Quote }}, status: "True", type: {{ $type }}}
      {{ end }}
      containerStatuses:
      {{ range .spec.containers }}
      - {image: {{ .image | Quote }}, name: {{ .name | Quote }}, ready: true, restartCount: 0, state: {running: {startedAt: {{ Now | Quote }}}}}
      {{ end }}
      hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
      hostIPs: [{ip: {{ NodeIPWith .spec.nodeName | Quote }}}]
      podIP: {{ PodIPWith .spec.nodeName false .metadata.uid .metadata.name .metadata.namespace | Quote }}
      podIPs: [{ip: {{ PodIPWith .spec.nodeName false .metadata.uid .metadata.name .metadata.namespace | Quote }}}]
      phase: Running
      startTime: {{ Now | Quote }}
`

describe("compiled stages", () => {
  const pod: KubeObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "n", uid: "u", generation: 1 },
    spec: {
      nodeName: "node-0",
      restartPolicy: "Always",
      containers: [
        { name: "c", image: "i" },
        { name: "d", image: "j" }
      ]
    },
    status: {
      phase: "Pending",
      conditions: [{ type: "PodScheduled", status: "True", lastTransitionTime: "2025-01-01T00:00:00Z" }]
    }
  }
  const sorted = (status: unknown): unknown => {
    assert(isJsonObject(status as Json))
    const { conditions, ...rest } = status as { conditions: ReadonlyArray<{ type: string }> }
    return { ...rest, conditions: [...conditions].sort((a, b) => (a.type < b.type ? -1 : 1)) }
  }
  it("say of a pod what kwok's template says, patched in", () => {
    const [{ stage: template }] = parseStages(fastTemplates)
    const compiled = fastPodStages.find(({ name }) => name === "pod-ready")!
    assert.strictEqual(compiled.matches(pod), template.matches(pod))
    const [patch] = template.steps
    const [status] = compiled.steps
    assert(patch.kind === "patch" && status.kind === "status")
    const schema = schemaOfKind("", "v1", "Pod")!
    const patched = applyStrategicMergePatch(schema, pod as unknown as JsonObject, patch.body(pod, place))
    assert(!(patched instanceof Error))
    assert.deepStrictEqual(sorted(status.status(pod, place)), sorted(patched["status"]))
  })

  /** Walks a pod through its life, with what each stage says; ends at a deletion or when no stage applies. */
  const live = (from: KubeObject, stages: ReadonlyArray<Stage>, most: number): Array<string> => {
    const random = new RandomStream(1)
    const names: Array<string> = []
    let object = from
    for (let left = most; left > 0; left--) {
      const stage = chooseStage(stages, object, random)
      if (stage === undefined) break
      names.push(stage.name)
      assert.isAtLeast(drawDelay(stage, object, place.nowMs, random), 0)
      const [step] = stage.steps
      if (step.kind !== "status") break
      object = withStatus(object, step.status(object, place))
    }
    return names
  }
  const owned = { ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name: "j", uid: "1", controller: true }] }
  it("lead a pod through a kubelet's stages", () => {
    assert.deepStrictEqual(live(pod, kubeletPodStages, 9), ["pod-create", "pod-ready"])
    const job: KubeObject = { ...pod, metadata: { ...pod.metadata, ...owned } }
    assert.deepStrictEqual(live(job, kubeletPodStages, 9), ["pod-create", "pod-ready", "pod-complete"])
    const crashing: KubeObject = {
      ...pod,
      metadata: { ...pod.metadata, annotations: { "sim.kubewharf.io/crash-after": "1s" } }
    }
    assert.deepStrictEqual(live(crashing, kubeletPodStages, 6), [
      "pod-create",
      "pod-ready",
      "pod-crash",
      "pod-restart",
      "pod-crash",
      "pod-restart"
    ])
    const unpullable: KubeObject = {
      ...pod,
      metadata: { ...pod.metadata, annotations: { "sim.kubewharf.io/image-pull": "fail" } }
    }
    assert.deepStrictEqual(live(unpullable, kubeletPodStages, 6), ["pod-create", "pod-pull-fails"])
  })
  it("end a running pod that is deleted, and then remove it", () => {
    const [create, ready] = kubeletPodStages.map(({ steps: [step] }) => step)
    assert(create.kind === "status" && ready.kind === "status")
    const made: KubeObject = { ...pod, status: create.status(pod, place) }
    const running: KubeObject = { ...made, status: ready.status(made, place) }
    const leaving: KubeObject = {
      ...running,
      metadata: { ...running.metadata, deletionTimestamp: place.now, deletionGracePeriodSeconds: 30 }
    }
    assert.deepStrictEqual(live(leaving, kubeletPodStages, 4), ["pod-stop", "pod-delete"])
  })
  it("count restarts and keep how the last one ended", () => {
    const crash: KubeObject = {
      ...pod,
      metadata: { ...pod.metadata, annotations: { "sim.kubewharf.io/crash-after": "1s" } }
    }
    let object = crash
    for (let left = 4; left > 0; left--) {
      const [step] = chooseStage(kubeletPodStages, object, new RandomStream(1))!.steps
      assert(step.kind === "status")
      object = withStatus(object, step.status(object, place))
    }
    const { containerStatuses } = object.status as {
      containerStatuses: ReadonlyArray<{ restartCount: number; lastState: object }>
    }
    assert.deepStrictEqual(
      containerStatuses.map(({ restartCount }) => restartCount),
      [1, 1]
    )
    assert.property(containerStatuses[0].lastState, "terminated")
  })
})
