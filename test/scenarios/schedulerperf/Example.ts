// A small configuration in scheduler_perf's form, with templates, and a scheduler that knows nothing but order.
// Owns the files that tests read; the real ones are upstream's and lie in Go's module cache.
import { Effect, FileSystem, Path } from "effect"
import { gvr, Informer, isJsonObject, type KubeObject, machineClockwork } from "#kube"
import { loadPerfConfig } from "../../../scenarios/schedulerperf/PerfConfig.ts"
import type { StartScheduler } from "../../../scenarios/schedulerperf/PerfRun.ts"

export const configuration = `
- name: Basic
  defaultPodTemplatePath: templates/pod.yaml
  workloadTemplate:
  - opcode: createNodes
    countParam: $nodes
    labelNodePrepareStrategy: {labelKey: zone, labelValues: [a, b]}
  - opcode: createPods
    count: 2
  - opcode: churn
    mode: recreate
    number: 1
    intervalMilliseconds: 50
    templatePaths: [templates/service.yaml]
  - opcode: createPods
    countParam: $pods
    templateParams: {cpu: $cpu|100m}
    collectMetrics: true
  - opcode: createPods
    namespace: late
    count: 3
    skipWaitToCompletion: true
  - opcode: barrier
  - opcode: deletePods
    namespace: late
    labelSelector: {app: perf}
  workloads:
  - name: small
    labels: [short]
    threshold: 10
    params: {nodes: 4, pods: 30}
- name: Steady
  workloadTemplate:
  - opcode: createNodes
    count: 2
  - opcode: createPods
    count: 5
    steadyState: true
    durationParam: $duration
    collectMetrics: true
  workloads:
  - name: short
    params: {duration: 1500ms}
`

const templates = {
  "pod.yaml": `
apiVersion: v1
kind: Pod
metadata: {generateName: pod-{{ Mod .Index 3 }}-, labels: {app: perf}}
spec:
  containers:
  - {name: c, image: i, resources: {requests: {cpu: {{or .cpu "1m"}}}}}
`,
  "service.yaml": `
apiVersion: v1
kind: Service
metadata: {generateName: churned-}
spec: {selector: {app: x}, ports: [{port: 80}]}
`
}

/** Writes the files and reads the configuration. */
export const exampleConfig = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = yield* files.makeTempDirectoryScoped()
  yield* files.makeDirectory(path.join(directory, "templates"))
  for (const [name, text] of Object.entries(templates)) {
    yield* files.writeFileString(path.join(directory, "templates", name), text)
  }
  const file = path.join(directory, "performance-config.yaml")
  yield* files.writeFileString(file, configuration)
  return yield* loadPerfConfig(file)
})

const nodeOf = ({ spec }: KubeObject): unknown => (isJsonObject(spec) ? spec["nodeName"] : undefined)

/** Gives each pod the next node. */
export const inOrder: StartScheduler<never, never> = (client) =>
  Effect.gen(function* () {
    const inform = (resource: string) =>
      new Informer({
        clockwork: machineClockwork,
        client,
        collection: { resource: gvr("", "v1", resource), namespace: "" }
      })
    const nodes = inform("nodes")
    const pods = inform("pods")
    let next = 0
    pods.addHandler({
      added: (pod) => {
        if (nodeOf(pod) !== undefined) return
        const known = nodes.store.all()
        const node = [...known][next++ % nodes.store.size]
        const { name = "", namespace = "" } = pod.metadata
        client.create(
          { resource: gvr("", "v1", "pods"), namespace, name, subresource: "binding" },
          {
            apiVersion: "v1",
            kind: "Binding",
            metadata: { name },
            target: { kind: "Node", name: node?.metadata.name }
          },
          {},
          () => undefined
        )
      }
    })
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        nodes.start()
        pods.start()
      }),
      () =>
        Effect.sync(() => {
          nodes.stop()
          pods.stop()
        })
    )
    return []
  })
