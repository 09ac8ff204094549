// Scenario files about clusters: what they mean, and what is refused with its line and column.
import { Result } from "effect"
import * as fc from "fast-check"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { churnLine } from "#sim"
import { afterAll, assert, describe, it } from "vitest"
import { capacityOf, podsPerMachine } from "../../scenarios/cluster/Capacity.ts"
import { faultPlan } from "../../scenarios/cluster/ClusterFault.ts"
import type { Cluster } from "../../scenarios/cluster/Cluster.ts"
import { clusterSteps, mergeSteps } from "../../scenarios/cluster/ClusterSteps.ts"
import type { Diagnostic } from "../../scenarios/Diagnostic.ts"
import { parseScenario } from "../../scenarios/ScenarioFile.ts"
import { withNodes } from "../../scenarios/world/ScenarioCase.ts"

const good = `apiVersion: wharf/v1
kind: Scenario
name: sample
description: A sample
cluster:
  duration: 10m
  zones: [zone-a, zone-b]
  machineTypes:
    large: { cpu: 16, memory: 64Gi, pods: 110 }
  nodeGroups:
    - { name: plain, count: 4 }
    - { name: big, count: 2, machineType: large, labels: { disk: ssd }, taints: [{ key: only, effect: NoSchedule }] }
  priorityClasses:
    - { name: high, value: 1000 }
  namespaces:
    - { name: team, count: 3, quota: { pods: 50 } }
  workloads:
    - { name: web, replicas: 5, perNamespace: 2, service: true, maxUnavailable: 10% }
  requests:
    - { name: lists, verb: list, resource: pods, perSecond: 1 }
  watchers:
    - { name: proxy, resource: endpointslices.discovery.k8s.io, count: 3 }
  actions:
    - { kind: rolling-update, at: 5m, of: web, over: 6s }
  faults:
    - { kind: zone-dies, at: 1m, for: 2m, zone: zone-b }
slo:
  - { metric: api.list.p99, atMost: 30s }
`

const parse = (text: string, sets: ReadonlyArray<string> = []) => parseScenario("sample.yaml", text, sets)

const clusterOf = (text: string, sets: ReadonlyArray<string> = []): Cluster => {
  const result = parse(text, sets)
  if (Result.isFailure(result)) throw new Error(result.failure.message)
  const { cluster } = result.success.scenario
  if (cluster === undefined) throw new Error("no cluster")
  return cluster
}

const only = (text: string, sets: ReadonlyArray<string> = []): Diagnostic => {
  const result = parse(text, sets)
  assert(Result.isFailure(result), "expected the file to be refused")
  assert.lengthOf(result.failure.diagnostics, 1, result.failure.message)
  return result.failure.diagnostics[0]
}

const change = (from: string, to: string): string => {
  assert.include(good, from)
  return good.replace(from, to)
}

const lineOf = (text: string, part: string): { readonly line: number; readonly column: number } => {
  const before = text.slice(0, text.indexOf(part))
  return { line: before.split("\n").length, column: before.length - before.lastIndexOf("\n") }
}

describe("a cluster in a scenario", () => {
  it("decodes with its defaults, units and parameters", () => {
    const cluster = clusterOf(good, ["cluster.nodeGroups.plain.count=7"])
    assert.strictEqual(cluster.duration, 600_000)
    assert.strictEqual(cluster.nodeGroups[0].count, 7)
    assert.deepStrictEqual(cluster.checkers, ["sums"])
    assert.strictEqual(cluster.controllers, "all")
    assert.include(cluster.network, { lossRate: 0 })
    assert.notProperty(cluster.network, "median", "which is the calibration's until a file says one")
    assert.deepStrictEqual(capacityOf(cluster, cluster.nodeGroups[1]), {
      cpu: "16",
      memory: "64Gi",
      pods: "110",
      "ephemeral-storage": "100Gi"
    })
  })

  it("stands beside a load on stores, or alone, but not for nothing", () => {
    assert.match(
      only("apiVersion: wharf/v1\nkind: Scenario\nname: x\ndescription: y\n").rule,
      /or a cluster, a federation, a front or tracing instead/
    )
  })

  it("is made of objects in the order of time, the same for the same seed", () => {
    const cluster = clusterOf(good)
    const steps = [...clusterSteps(cluster, 1, ".")]
    const kinds = steps.map((step) => (step.verb === "create" ? String(step.object["kind"]) : step.verb))
    const count = (kind: string) => kinds.filter((each) => each === kind).length
    assert.deepStrictEqual(
      { namespaces: count("Namespace"), quotas: count("ResourceQuota"), services: count("Service") },
      { namespaces: 3, quotas: 3, services: 6 }
    )
    assert.deepStrictEqual([count("Deployment"), count("PodDisruptionBudget"), count("patch")], [6, 6, 6])
    const times = steps.map(({ atMs }) => atMs)
    assert.deepStrictEqual(
      times,
      times.toSorted((left, right) => left - right)
    )
    assert.deepStrictEqual(steps, [...clusterSteps(cluster, 1, ".")])
    assert.deepStrictEqual(times.slice(-6), [300_000, 301_000, 302_000, 303_000, 304_000, 305_000])
  })

  it("shares pods for each node out evenly, and makes bare pods anew with their Service", () => {
    const text = change("replicas: 5, perNamespace: 2,", "perNode: 1.5, perNamespace: 2, kind: Pod,").replace(
      "rolling-update, at: 5m, of: web, over: 6s",
      "delete, at: 5m, of: web"
    )
    const churned = text.replace(
      "  requests:",
      "  churn:\n    - { kind: recreate, of: web, at: 2m, every: 1m }\n  requests:"
    )
    const steps = [...clusterSteps(clusterOf(churned), 1, ".")]
    // 9 pods for 6 nodes, over 6 objects.
    const made = steps.filter(({ atMs, of, verb }) => verb === "create" && of.resource === "pods" && atMs < 120_000)
    assert.lengthOf(made, 9)
    assert.lengthOf(new Set(made.map(({ of }) => `${of.namespace} ${of.name}`)), 9)
    const deleted = steps.filter(
      ({ atMs, of, verb }) => verb === "delete" && of.resource === "pods" && atMs === 300_000
    )
    assert.lengthOf(deleted, 9 + 1)
    const services = steps.filter(({ atMs, of }) => of.resource === "services" && atMs >= 120_000)
    assert.lengthOf(services, 8 * 2)
  })

  it("lets the name of a group of watchers stand for each of them in a fault", () => {
    const text = change(
      "zone-dies, at: 1m, for: 2m, zone: zone-b",
      "partition, at: 1m, for: 2m, side: [proxy], other: [apiserver]"
    )
    const { faults, watchers } = clusterOf(text)
    const [step] = faultPlan(faults, watchers)
    assert.deepInclude(step, { kind: "partition", side: ["proxy-0", "proxy-1", "proxy-2"], other: ["apiserver"] })
  })
})

describe("recorded traces", () => {
  const folder = mkdtempSync(join(tmpdir(), "wharf-trace-"))
  afterAll(() => rmSync(folder, { recursive: true }))
  const churned = (churn: string) => {
    const text = good.replace("  requests:", `  churn:\n    - ${churn}\n  requests:`)
    return [...clusterSteps(clusterOf(text), 1, folder)].filter(({ of }) => of.namespace === "trace")
  }

  it("of openb are pods that come and go at their time, none after the end", () => {
    const header =
      "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time"
    const rows = ["p-0,1000,512,0,0,,LS,Running,100,160,101", "p-1,500,256,1,1000,T4,BE,Running,130,99999,131"]
    writeFileSync(join(folder, "pods.csv"), [header, ...rows].join("\n"))
    const steps = churned("{ kind: openb, path: pods.csv, at: 1m, speed: 2, namespace: trace }")
    assert.deepStrictEqual(
      steps.map(({ atMs, of, verb }) => `${verb} ${of.name} ${atMs}`),
      ["create p-0 60000", "create p-1 75000", "delete p-0 90000"]
    )
  })

  it("of our own are taken as they are, shifted to their start", () => {
    const of = { apiVersion: "v1", resource: "pods", namespace: "trace", name: "x" }
    const lines = [
      churnLine({ atMs: 5000, verb: "delete", of }),
      churnLine({ atMs: 0, verb: "scale", of, replicas: 3 })
    ]
    writeFileSync(join(folder, "log.jsonl"), lines.join("\n"))
    const steps = churned("{ kind: event-log, path: log.jsonl, at: 10s }")
    assert.deepStrictEqual(steps, [
      { atMs: 10_000, verb: "scale", of, replicas: 3 },
      { atMs: 15_000, verb: "delete", of }
    ])
  })
})

describe("a target", () => {
  it("may be named on the command line without changing the file; what it cannot have is refused where it stands", () => {
    const still = ["cluster.faults=[]", "cluster.actions=[]"]
    for (const target of ["sim", "process", "kind"])
      assert.isTrue(Result.isSuccess(parse(good, [`target=${target}`, ...still])), target)
    assert.isTrue(Result.isSuccess(parse(good, ["target=sim"])))
    assert.match(only(good, ["target=moon"]).rule, /must be one of sim, process, kind, kubeconfig/)
    const skew = "cluster.faults=[{kind: clock-skew, at: 1m, for: 1m, by: 1s}]"
    const rules = (sets: ReadonlyArray<string>): ReadonlyArray<string> => {
      const result = parse(good, sets)
      return Result.isFailure(result) ? result.failure.diagnostics.map(({ rule }) => rule) : []
    }
    assert.match(only(good, ["target=process", skew, "cluster.actions=[]"]).rule, /clock-skew is not done .* process/)
    const upgrade = "cluster.actions=[{kind: upgrade-nodes, at: 1m, parallel: 1}]"
    assert.deepStrictEqual(rules(["target=process", "cluster.faults=[]", upgrade]), [])
    assert.deepStrictEqual(rules(["target=kubeconfig", skew, upgrade]), [
      "priority classes belong to the whole cluster, and are not made with target kubeconfig",
      "nodes are not upgraded with target kubeconfig",
      "clock-skew is not done to a cluster with target kubeconfig"
    ])
  })
})

const web = (fields: string): string => change("perNamespace: 2,", `perNamespace: 2, ${fields},`)

describe("what a cluster cannot be is said where it stands", () => {
  const refused: ReadonlyArray<readonly [what: string, text: string, at: string, rule: RegExp, hint?: RegExp]> = [
    [
      "an unknown field",
      change("duration: 10m", "duration: 10m\n  registrOver: 5s"),
      "registrOver",
      /is not a known field/,
      /"registerOver"/
    ],
    ["an unknown zone", change("zone: zone-b", "zone: zone-d"), "zone-d }", /no zone named zone-d/, /zone-/],
    [
      "a zone without nodes",
      change("zones: [zone-a, zone-b]", "zones: [zone-a, zone-b, zone-c, zone-d, zone-e]"),
      "zone-e",
      /zone zone-e has no nodes/
    ],
    ["a fault after the end", change("at: 1m, for: 2m", "at: 11m, for: 2m"), "11m", /is not before the end/],
    ["a fault that ends after it", change("at: 1m, for: 2m", "at: 9m, for: 2m"), "2m", /ends 1m after the end/],
    [
      "a machine type that is none",
      change("machineType: large", "machineType: lage"),
      "lage,",
      /no machine type/,
      /"large"/
    ],
    [
      "a pod that fits on no machine",
      change("replicas: 5,", "replicas: 5, cpu: 32,"),
      "32,",
      /more than any machine that it may stand on has/
    ],
    [
      "more pods than there is room for",
      change("replicas: 5,", "replicas: 500,"),
      "500,",
      /3000 pods cannot fit: the machines have room for 440/
    ],
    [
      "pods that no group tolerates",
      change("replicas: 5,", "replicas: 5, nodeSelector: { disk: ssd },"),
      "{ disk: ssd }, p",
      /no node group has these labels|every node group has a taint/
    ],
    ["an action on nothing", change("of: web, over", "of: wep, over"), "wep", /no workload named wep/, /"web"/],
    [
      "a controller that is none",
      change("  duration: 10m", "  controllers: [deployment-contoller]\n  duration: 10m"),
      "deployment-contoller",
      /no controller named/,
      /deployment-controller/
    ],
    [
      "a resource that is not served",
      change("resource: pods", "resource: pod"),
      "pod,",
      /no resource named pod/,
      /"pods"/
    ],
    [
      "a process that is none",
      change("zone-dies, at: 1m, for: 2m, zone: zone-b", "slow-watcher, at: 1m, for: 2m, client: prox, by: 1s"),
      "prox,",
      /no process named prox/,
      /"proxy"/
    ],
    [
      "a kind of fault that is none",
      change("kind: zone-dies", "kind: zone-died"),
      "zone-died",
      /must be one of zone-dies/,
      /"zone-dies"/
    ],
    ["a quantity that is none", change("cpu: 16", "cpu: many"), "many", /a quantity such as/],
    ["a target on no name", change("api.list.p99, at", "nodes.ready, of: pods, at"), "pods, atMost", /takes no name/],
    ["a priority class that is none", web("priorityClass: hihg"), "hihg", /no priority class named hihg/, /"high"/],
    ["a class of the system's", change("name: high", "name: system-high"), "system-high", /keeps for itself/],
    [
      "a wait of no class",
      change("metric: api.list.p99", "of: hihg, metric: scheduler.wait.p99"),
      "hihg",
      /no priority class named hihg/,
      /"high"/
    ],
    [
      "a class above what users may have",
      change("value: 1000", "value: 1000000001"),
      "1000000001",
      /at most 1,000,000,000/
    ],
    [
      "a spread over a label that no node has",
      web("spread: [{ topologyKey: topology.kubernetes.io/zon }]"),
      "topology.kubernetes.io/zon }",
      /no label of a node named/,
      /"topology.kubernetes.io\/zone"/
    ],
    [
      "minDomains of a wish",
      web("spread: [{ topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, minDomains: 2 }]"),
      "2 }]",
      /counts only with whenUnsatisfiable: DoNotSchedule/
    ],
    [
      "a node term without its values",
      web("nodeAffinity: [{ key: disk, values: [] }]"),
      "[] }]",
      /In needs at least one/
    ],
    [
      "a number that is none",
      web("nodeAffinity: [{ key: cpus, operator: Gt, values: [many] }]"),
      "[many]",
      /Gt needs one whole number/
    ],
    ["gates of a Deployment", web("gates: [wait]"), "[wait]", /for bare pods/],
    [
      "gates that nothing opens",
      web("kind: Pod, gates: [wait]").replace("    - { kind: rolling-update, at: 5m, of: web, over: 6s }", "    []"),
      "[wait]",
      /is never opened/
    ],
    ["a resource that no machine has", web("extended: { example.com/gpu: 1 }"), "1 }", /more than any machine/],
    [
      "a scale to two sizes",
      change(
        "kind: rolling-update, at: 5m, of: web, over: 6s",
        "kind: scale, at: 5m, of: web, replicas: 2, perNode: 2"
      ),
      "{ kind: scale",
      /exactly one of replicas and perNode/
    ],
    ["an opened gate that is none", change("rolling-update, at", "ungate, at"), "web, over", /has no scheduling gates/],
    [
      "more for each node than a node has room for",
      web("perNode: 111").replace("replicas: 5, perNamespace: 2, ", ""),
      "111",
      /666 pods cannot fit/
    ]
  ]
  for (const [what, text, at, rule, hint] of refused) {
    it(what, () => {
      const diagnostic = only(text)
      assert.match(diagnostic.rule, rule)
      assert.include(diagnostic, lineOf(text, at))
      if (hint !== undefined) assert.match(diagnostic.hint ?? "", hint)
    })
  }
})

const groups = fc.record({ plain: fc.integer({ min: 1, max: 500 }), big: fc.integer({ min: 1, max: 500 }) })

describe("arithmetic of clusters", () => {
  it("never refuses what fits and never accepts what cannot: room is exact for one workload", () => {
    fc.assert(
      fc.property(
        groups,
        fc.integer({ min: 1, max: 20_000 }),
        fc.integer({ min: 100, max: 9000 }),
        (counts, replicas, milli) => {
          const text = good
            .replace("count: 4", `count: ${Math.max(2, counts.plain)}`)
            .replace("count: 3, quota: { pods: 50 }", "count: 1")
            .replace("replicas: 5, perNamespace: 2,", `replicas: ${replicas}, cpu: ${milli}m,`)
          const parsed = parse(text)
          // Only the plain group tolerates: 7.9 CPUs each, 110 pods.
          const each = Math.min(110, Math.floor(7900 / milli))
          const fits = each > 0 && replicas <= each * Math.max(2, counts.plain)
          assert.strictEqual(Result.isSuccess(parsed), fits, Result.isFailure(parsed) ? parsed.failure.message : text)
          if (Result.isSuccess(parsed) && parsed.success.scenario.cluster !== undefined) {
            const { cluster } = parsed.success.scenario
            assert.strictEqual(podsPerMachine(cluster, cluster.workloads[0], cluster.nodeGroups[0]), each)
          }
        }
      ),
      { numRuns: 60 }
    )
  })

  it("keeps the order of time when sequences are merged, and loses nothing", () => {
    const times = fc.array(fc.array(fc.integer({ min: 0, max: 50 })), { maxLength: 6 })
    fc.assert(
      fc.property(times, (lists) => {
        const sequences = lists.map((list, from) =>
          list
            .toSorted((left, right) => left - right)
            .map((atMs, at) => ({
              atMs,
              verb: "delete" as const,
              of: { apiVersion: "v1", resource: "pods", namespace: "", name: `${from}-${at}` }
            }))
        )
        const merged = [...mergeSteps(sequences)]
        assert.sameMembers(merged, sequences.flat())
        const order = merged.map(({ atMs }) => atMs)
        assert.deepStrictEqual(
          order,
          order.toSorted((left, right) => left - right)
        )
      })
    )
  })

  it("makes a cluster smaller without losing a zone", () => {
    const cluster = clusterOf(good.replace("count: 4", "count: 400"))
    const smaller = withNodes(cluster, 3)
    assert.deepStrictEqual(
      smaller.nodeGroups.map(({ count }) => count),
      [3, 2]
    )
    assert.strictEqual(withNodes(cluster, 500), cluster)
  })
})
