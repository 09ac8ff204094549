// What users ask for and what pods show: both migrations as decisions, with the loop of estimate and plan that must come to rest.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { type KubeObject, rfc3339 } from "#kube"
import {
  appliedMigrationText,
  type CapacityMemory,
  capacityNow,
  capacityWakeMs,
  estimateCapacity,
  manualMigration,
  MigrationInvalid,
  rememberCapacity
} from "#federation"

const NOW = Date.UTC(2026, 10, 28, 12)
const MINUTE = 60_000

describe("a migration that a user asks for", () => {
  const text = JSON.stringify({
    replicasMigrations: [
      { cluster: "oak", limitedCapacity: 3 },
      { cluster: "elm", limitedCapacity: 0 }
    ],
    workloadMigrations: [
      { cluster: "fir", validUntil: rfc3339(NOW + 2 * MINUTE) },
      { cluster: "ash", validUntil: rfc3339(NOW + MINUTE) },
      { cluster: "yew", validUntil: rfc3339(NOW) }
    ]
  })

  it("holds until its time, and says when it changes", () => {
    const { applied, changesAtMs } = manualMigration(text, NOW)
    assert.strictEqual(changesAtMs, NOW + MINUTE)
    assert.strictEqual(
      appliedMigrationText(applied),
      JSON.stringify({
        limitedCapacity: { elm: 0, oak: 3 },
        unavailableClusters: [
          { cluster: "ash", validUntil: rfc3339(NOW + MINUTE) },
          { cluster: "fir", validUntil: rfc3339(NOW + 2 * MINUTE) }
        ]
      })
    )
    const later = manualMigration(text, NOW + 2 * MINUTE)
    assert.isUndefined(later.changesAtMs)
    assert.strictEqual(appliedMigrationText(later.applied), '{"limitedCapacity":{"elm":0,"oak":3}}')
    assert.isUndefined(appliedMigrationText(manualMigration("{}", NOW).applied))
  })

  it("names what is wrong with it", () => {
    const wrong: ReadonlyArray<readonly [text: string, words: string]> = [
      ["", "must be JSON"],
      ["[]", "must be a JSON object"],
      ['{"replicasMigrations":{}}', "replicasMigrations: must be an array"],
      ['{"replicasMigrations":[{"limitedCapacity":1}]}', "replicasMigrations[0].cluster"],
      ['{"replicasMigrations":[{"cluster":"a","limitedCapacity":-1}]}', "replicasMigrations[0].limitedCapacity"],
      ['{"workloadMigrations":[{"cluster":"a","validUntil":"soon"}]}', "workloadMigrations[0].validUntil"],
      [
        '{"replicasMigrations":[{"cluster":"a","limitedCapacity":1},{"cluster":"a","limitedCapacity":2}]}',
        "replicasMigrations[1].cluster: a has an entry before"
      ]
    ]
    for (const [value, words] of wrong) {
      const refused = (): unknown => manualMigration(value, NOW)
      assert.throws(refused, MigrationInvalid, words, value)
    }
  })
})

const pod = (waitedMs: number | undefined, phase = "Pending"): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p" },
  spec: waitedMs === undefined ? { nodeName: "n" } : {},
  status: {
    phase,
    conditions: [
      waitedMs === undefined
        ? { type: "PodScheduled", status: "True" }
        : {
            type: "PodScheduled",
            status: "False",
            reason: "Unschedulable",
            lastTransitionTime: rfc3339(NOW - waitedMs)
          }
    ]
  }
})

describe("room as pods show it", () => {
  const at = { nowMs: NOW, thresholdMs: MINUTE }

  it("is what is desired without those that waited for too long", () => {
    const pods = [pod(undefined), pod(undefined), pod(MINUTE), pod(MINUTE + 1), pod(MINUTE / 2)]
    assert.deepStrictEqual(estimateCapacity({ desired: 5, replicas: 5, ready: 2, pods }, at), {
      scheduledReplicas: 2,
      estimatedCapacity: 3,
      changesInMs: MINUTE / 2
    })
  })

  it("is not in doubt while all replicas are ready, or while nobody has waited for too long", () => {
    assert.deepStrictEqual(estimateCapacity({ desired: 5, replicas: 5, ready: 5, pods: [pod(MINUTE)] }, at), {
      scheduledReplicas: 5
    })
    assert.isUndefined(estimateCapacity({ desired: 1, replicas: 1, ready: 0, pods: [pod(1000)] }, at).estimatedCapacity)
  })

  it("does not count pods that have ended or are leaving, nor a surge above what is desired", () => {
    const leaving = { ...pod(MINUTE), metadata: { name: "p", deletionTimestamp: rfc3339(NOW) } }
    const pods = [pod(undefined), pod(MINUTE, "Failed"), leaving]
    assert.isUndefined(estimateCapacity({ desired: 1, replicas: 2, ready: 1, pods }, at).estimatedCapacity)
    const surge = [pod(undefined), pod(undefined), pod(MINUTE)]
    assert.isUndefined(estimateCapacity({ desired: 2, replicas: 3, ready: 2, pods: surge }, at).estimatedCapacity)
  })

  it("is never negative and always less than desired", () => {
    const some = fc.array(fc.oneof(fc.constant(undefined), fc.nat({ max: 3 * MINUTE })), { maxLength: 12 })
    fc.assert(
      fc.property(some, fc.nat({ max: 12 }), (waits, desired) => {
        const pods = waits.map((waited) => pod(waited))
        const found = estimateCapacity({ desired, replicas: pods.length, ready: -1, pods }, at)
        const { changesInMs = 1, estimatedCapacity: room } = found
        if (room !== undefined) assert.isTrue(room >= 0 && room < desired)
        assert.isAbove(changesInMs, 0)
        assert.isAtMost(changesInMs, MINUTE)
        assert.strictEqual(found.scheduledReplicas, waits.filter((waited) => waited === undefined).length)
      })
    )
  })
})

describe("estimate and plan in turn", () => {
  /** Two clusters, the first with little room: what is over goes to the second; what was moved comes back only after a while. */
  it("come to rest, and try again after a while", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.nat({ max: 20 }), (total, room) => {
        let memory: CapacityMemory = new Map()
        let nowMs = NOW
        let moves = 0
        let first = total
        for (let round = 0; round < 4; round++) {
          const placed = Math.min(first, room)
          const waiting = first - placed
          const pods = Array.from({ length: first }, (_, at) => (at < placed ? pod(undefined) : pod(2 * MINUTE)))
          const found = estimateCapacity(
            { desired: first, replicas: first, ready: placed, pods },
            { nowMs: NOW, thresholdMs: MINUTE }
          )
          assert.strictEqual(found.estimatedCapacity !== undefined, waiting > 0)
          const seen = found.estimatedCapacity
          memory = rememberCapacity(memory, new Map(seen === undefined ? [] : [["oak", seen]]), nowMs)
          const next = Math.min(total, capacityNow(memory, nowMs).get("oak") ?? total)
          if (next !== first) moves++
          first = next
          nowMs += MINUTE
        }
        assert.isAtMost(moves, 1)
        assert.strictEqual(first, Math.min(total, room))
        const wake = capacityWakeMs(memory, nowMs)
        assert.strictEqual(wake !== Infinity, total > room)
        assert.strictEqual(capacityNow(memory, Math.max(wake, nowMs)).size, 0, "it is tried again then")
      })
    )
  })
})
