// The plain binder against the rule it keeps: never more on a node than fits, always a node that may be used, the emptiest first.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { KubeObject } from "#kube"
import { OnePassChooser } from "#sim"

const node = (
  name: string,
  cpu: string,
  more: { labels?: Record<string, string>; spec?: object; allocatable?: object } = {}
): KubeObject => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: { "kubernetes.io/hostname": name, ...more.labels } },
  spec: (more.spec ?? {}) as never,
  status: { allocatable: { cpu, memory: "16Gi", pods: "110", ...more.allocatable } }
})

let number = 0
const pod = (cpu: string, spec: object = {}, requests: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "n", uid: `u${number++}` },
  spec: { containers: [{ name: "c", resources: { requests: { cpu, ...requests } } }], ...spec }
})

const place = (chooser: OnePassChooser, one: KubeObject): string => {
  const choice = chooser.choose(one)
  if ("reasons" in choice)
    return Array.from(choice.reasons, ([why, count]) => `${count} ${why}`)
      .sort()
      .join(", ")
  chooser.podPlaced(one, choice.node)
  return choice.node
}

it("spreads equal pods evenly, and never puts more on a node than fits", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 3000 }), { maxLength: 80 }),
      fc.integer({ min: 1, max: 6 }),
      (sizes, count) => {
        const chooser = new OnePassChooser()
        const free = new Map<string, number>()
        for (let at = 0; at < count; at++) {
          chooser.nodeSeen(node(`n${at}`, "8"))
          free.set(`n${at}`, 8000)
        }
        for (const size of sizes) {
          const one = pod(`${size}m`)
          const choice = chooser.choose(one)
          if ("reasons" in choice) {
            assert.isTrue(
              [...free.values()].every((left) => left < size),
              "a node had room"
            )
            continue
          }
          chooser.podPlaced(one, choice.node)
          free.set(choice.node, free.get(choice.node)! - size)
          assert.isAtLeast(free.get(choice.node)!, 0)
        }
      }
    )
  )
  const chooser = new OnePassChooser()
  for (let at = 0; at < 10; at++) chooser.nodeSeen(node(`n${at}`, "8"))
  const counts = new Map<string, number>()
  for (let at = 0; at < 100; at++) {
    const chosen = place(chooser, pod("500m"))
    counts.set(chosen, (counts.get(chosen) ?? 0) + 1)
  }
  assert.deepStrictEqual(
    [...counts.values()],
    Array.from({ length: 10 }, () => 10)
  )
})

describe("constraints", () => {
  const chooser = new OnePassChooser()
  chooser.nodeSeen(node("plain", "4"))
  chooser.nodeSeen(node("tainted", "8", { spec: { taints: [{ key: "k", value: "v", effect: "NoSchedule" }] } }))
  chooser.nodeSeen(node("gpu", "8", { labels: { model: "T4" }, allocatable: { "nvidia.com/gpu": "2" } }))
  chooser.nodeSeen(node("cordoned", "8", { spec: { unschedulable: true } }))
  const affinity = (
    key: string,
    operator: string,
    values?: ReadonlyArray<string>,
    field = "matchExpressions"
  ): object => ({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ [field]: [{ key, operator, values }] }]
        }
      }
    }
  })
  const tolerations = { tolerations: [{ key: "k", operator: "Equal", value: "v" }] }
  const cases: ReadonlyArray<readonly [string, KubeObject, string]> = [
    ["a node selector", pod("1", { nodeSelector: { model: "T4" } }), "gpu"],
    ["a host name", pod("1", { nodeSelector: { "kubernetes.io/hostname": "plain" } }), "plain"],
    [
      "a field of the name, as DaemonSets use it",
      pod("1", affinity("metadata.name", "In", ["gpu"], "matchFields")),
      "gpu"
    ],
    ["an expression", pod("1", affinity("model", "Exists")), "gpu"],
    ["a toleration", pod("1", { ...tolerations, nodeSelector: { "kubernetes.io/hostname": "tainted" } }), "tainted"],
    ["another resource", pod("1", {}, { "nvidia.com/gpu": "2" }), "gpu"],
    [
      "what nobody has",
      pod("1", {}, { "nvidia.com/gpu": "3" }),
      "1 node(s) had untolerated taint {k: v}, 1 node(s) were unschedulable, 2 Insufficient nvidia.com/gpu"
    ],
    [
      "too much",
      pod("6", { nodeSelector: { "kubernetes.io/hostname": "plain" } }),
      "1 Insufficient cpu, 3 node(s) didn't match Pod's node affinity/selector"
    ]
  ]
  for (const [name, one, expected] of cases)
    it(`knows ${name}`, () => assert.strictEqual(place(chooser, one), expected))

  it("gives room back, and forgets nodes that go", () => {
    const small = new OnePassChooser()
    small.nodeSeen(node("a", "1"))
    const first = pod("1")
    assert.strictEqual(place(small, first), "a")
    assert.strictEqual(place(small, pod("1")), "1 Insufficient cpu")
    small.podGone(first)
    assert.strictEqual(place(small, pod("1")), "a")
    small.nodeGone("a")
    assert.strictEqual(place(small, pod("1")), "")
    assert.strictEqual(small.nodeCount(), 0)
  })
})
