// From what a run measured to what is said about it: order of runs, targets, seconds, samples, progress.
import { Latency, type RecordedOperation, type RecordedWatch } from "#reports"
import { Result } from "effect"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { PhaseFacts, Second } from "../../scenarios/generator/Protocol.ts"
import { Progress } from "../../scenarios/Progress.ts"
import { ResourceSampler } from "../../scenarios/ResourceSampler.ts"
import { orderLetters, runOrder } from "../../scenarios/RunOrder.ts"
import type { Phase, Scenario } from "../../scenarios/Scenario.ts"
import { parseScenario } from "../../scenarios/ScenarioFile.ts"
import { checkSlos, type Measured } from "../../scenarios/SloCheck.ts"
import { Timeline } from "../../scenarios/Timeline.ts"

describe("the order of runs", () => {
  it("is ABBA", () => {
    assert.strictEqual(orderLetters(["lmdb", "etcd"], 4), "ABBAABBA")
    assert.strictEqual(orderLetters(["lmdb", "etcd"], 1), "AB")
    assert.strictEqual(orderLetters(["a", "b", "c"], 2), "ABCCBA")
  })

  it("gives every backend every repeat once, and over two repeats the same mean place", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 20 }), (count, repeats) => {
        const backends = Array.from({ length: count }, (_, index) => `b${index}`)
        const order = runOrder(backends, repeats)
        assert.deepStrictEqual(
          order.map(({ position }) => position),
          order.map((_, index) => index)
        )
        for (const backend of backends) {
          const own = order.filter((run) => run.backend === backend)
          assert.deepStrictEqual(
            own.map(({ repeat }) => repeat),
            Array.from({ length: repeats }, (_, index) => index)
          )
          if (repeats % 2 === 0) {
            const mean = own.reduce((sum, { position }) => sum + position, 0) / own.length
            assert.closeTo(mean, (order.length - 1) / 2, 1e-9)
          }
        }
      })
    )
  })
})

const histogram = (...us: ReadonlyArray<number>) => {
  const latency = new Latency()
  for (const value of us) latency.record(value)
  return latency.toRecorded()
}

const operation = (name: string, phase: string, more: Partial<RecordedOperation> = {}): RecordedOperation => ({
  name,
  kind: "write",
  phase,
  planned: 100,
  sent: 100,
  completed: 100,
  errors: {},
  lost: 0,
  bytesIn: 0,
  bytesOut: 0,
  latency: histogram(1000, 2000, 50_000),
  service: histogram(1000, 2000, 50_000),
  ...more
})

const facts: PhaseFacts = {
  startedAt: 0,
  endedAt: 10_000,
  cpuSeconds: 1,
  pauseMs: 40,
  pauseEndedAt: 5000,
  connections: 1,
  lateMs: 0,
  saturated: false,
  stddevMs: { "writes/create": 12 },
  gapMs: {},
  watchGapMs: {},
  violations: {},
  notes: []
}

const watch: RecordedWatch = {
  name: "informer",
  phase: "busy",
  watchers: 1,
  expected: 200,
  delivered: 199,
  duplicated: 0,
  outOfOrder: 0,
  lag: histogram(3000)
}

const scenarioWith = (slo: string): Scenario => {
  const closed = "shape: { parallelismLimitedLoad: { parallelismLimit: 1 } }, actions: 1"
  const text = `apiVersion: wharf/v1
kind: Scenario
name: judged
description: x
keySpaces: [{ name: k, prefix: /k/, keyBytes: 40 }]
phases:
  - { name: fill, kind: prepare, load: [{ name: fill, ${closed}, mix: [{ op: create }] }] }
  - name: busy
    kind: measure
    watch: [{ name: informer }]
    load:
      - { name: writes, ${closed}, mix: [{ op: create }, { op: update, name: touch }] }
      - { name: reads, ${closed}, mix: [{ op: get }] }
slo: [${slo}]
`
  return Result.getOrThrow(parseScenario("judged", text)).scenario
}

const measured: Measured = {
  phases: [
    { name: "fill", kind: "prepare", startMs: 0, endMs: 1000, loop: "closed", clients: 1, targetPerS: null },
    { name: "busy", kind: "measure", startMs: 1000, endMs: 11_000, loop: "closed", clients: 2, targetPerS: null }
  ],
  operations: [
    operation("create", "fill"),
    operation("writes/create", "busy"),
    operation("writes/touch", "busy", { completed: 90, errors: { conflict: 7 }, lost: 3 }),
    operation("reads/get", "busy", { kind: "read" })
  ],
  watches: [watch],
  facts: new Map([["busy", facts]]),
  memoryBytes: 5_000_000,
  startMs: undefined
}

const verdicts = (slo: string) => checkSlos(scenarioWith(slo), measured)

describe("targets", () => {
  it("are judged once per operation that they mean, by its name, its load's or its phase's, and never for a prepare phase", () => {
    const names = (slo: string) => verdicts(slo).map(({ name }) => name)
    assert.deepStrictEqual(names("{ of: writes, metric: latency.p99, atMost: 1s }"), [
      "busy/writes/create latency.p99",
      "busy/writes/touch latency.p99"
    ])
    assert.deepStrictEqual(names("{ of: touch, metric: throughput, atLeast: 1 }"), ["busy/writes/touch throughput"])
    assert.lengthOf(names("{ of: busy, metric: errors, atMost: 0 }"), 3)
    assert.lengthOf(names("{ metric: errors, atMost: 0 }"), 3)
  })

  it("compare in their own units", () => {
    const one = (slo: string) => verdicts(slo)[0]
    assert.include(one("{ of: reads, metric: latency.max, atMost: 60ms }"), {
      observed: 50,
      threshold: 60,
      unit: "ms",
      verdict: "pass"
    })
    assert.include(one("{ of: reads, metric: throughput, atLeast: 11 }"), { observed: 10, unit: "/s", verdict: "fail" })
    assert.include(one("{ of: touch, metric: errors, atMost: 5 }"), { observed: 10, unit: "%", verdict: "fail" })
    assert.include(one("{ of: informer, metric: watch.delivered, atLeast: 100 }"), { observed: 99.5, verdict: "fail" })
    assert.include(one("{ metric: watch.lag.max, atMost: 3ms }"), { observed: 3, verdict: "pass" })
    assert.include(one("{ metric: memory, atMost: 5MiB }"), {
      observed: 5_000_000,
      threshold: 5 * 1024 ** 2,
      verdict: "pass"
    })
    assert.include(one("{ of: reads, metric: pause, atMost: 39ms }"), { observed: 40, verdict: "fail" })
    assert.include(verdicts("{ of: writes, metric: latency.stddev, atMost: 100ms }")[0], {
      observed: 12,
      verdict: "pass"
    })
  })

  it("are missing, never met, where nothing was measured", () => {
    assert.include(verdicts("{ metric: startTime, atMost: 3s }")[0], { observed: null, verdict: "missing" })
    assert.include(verdicts("{ of: fill, metric: throughput, atLeast: 1 }")[0], { observed: null, verdict: "missing" })
    assert.include(verdicts("{ of: writes, metric: latency.stddev, atMost: 1s }")[1], {
      observed: null,
      verdict: "missing"
    })
  })
})

const second = (at: number, completed: Readonly<Record<string, number>>, delivered?: number): Second => ({
  type: "second",
  at,
  inFlight: 3,
  operations: Object.entries(completed).map(([name, count]) => ({
    name,
    sent: count,
    completed: count,
    errors: 0,
    p50Us: count > 0 ? 10 : null,
    p99Us: count > 0 ? 20 : null
  })),
  ...(delivered === undefined ? {} : { watch: { delivered, lagP50Us: 5, lagP99Us: 6 } })
})

describe("the timeline", () => {
  it("keeps every column as long as its seconds, whatever comes and goes, and never goes back", () => {
    const steps = fc.array(
      fc.record({
        gap: fc.integer({ min: -500, max: 2000 }),
        operations: fc.dictionary(fc.constantFrom("a", "b", "c"), fc.nat(1000), { noNullPrototype: true }),
        delivered: fc.option(fc.nat(), { nil: undefined })
      }),
      { maxLength: 30 }
    )
    fc.assert(
      fc.property(steps, (steps) => {
        const timeline = new Timeline(1_000_000)
        let at = 1_001_000
        for (const { delivered, gap, operations } of steps) timeline.add(second((at += gap), operations, delivered))
        const { atS, operations, watch } = timeline.series()
        assert.lengthOf(atS, steps.length)
        for (let row = 1; row < atS.length; row++) assert.isAbove(atS[row], atS[row - 1])
        for (const { completed, errors, lost, name, p50Us, p99Us, sent } of operations) {
          for (const column of [completed, errors, lost, p50Us, p99Us, sent]) assert.lengthOf(column, atS.length)
          assert.deepStrictEqual(
            completed,
            steps.map((step) => step.operations[name] ?? 0)
          )
        }
        if (watch !== undefined) {
          for (const column of [watch.delivered, watch.lagP50Us, watch.lagP99Us]) assert.lengthOf(column, atS.length)
        }
      })
    )
  })
})

describe("the sampler", () => {
  it("reads this very process, keeps its columns together, and says nothing of one that is not there", () => {
    const sampler = new ResourceSampler("self", "other", () => process.pid, 0)
    for (const now of [0, 1000, 2000]) sampler.sample(now)
    const component = sampler.component()
    assert.isDefined(component)
    assert.deepStrictEqual(component.atS, [1, 2])
    assert.isAbove(component.totals.rssMaxBytes, 10_000_000)
    assert.isAtLeast(component.totals.rssMaxBytes, component.totals.anonymousMaxBytes)
    assert.isAbove(component.totals.threadsMax, 1)
    const nobody = new ResourceSampler("nobody", "server", () => undefined, 0)
    for (const now of [0, 1000]) nobody.sample(now)
    assert.isUndefined(nobody.component())
    assert.isUndefined(nobody.anonymousMaxBytes)
  })

  it("starts anew when the process is another one", () => {
    let pid = process.pid
    const sampler = new ResourceSampler("server", "server", () => pid, 0)
    sampler.sample(0)
    sampler.sample(1000)
    pid = process.ppid
    sampler.sample(2000)
    assert.deepStrictEqual(sampler.component()?.atS, [1])
    sampler.sample(3000)
    assert.deepStrictEqual(sampler.component()?.atS, [1, 3])
  })
})

describe("progress", () => {
  const sink = (isTTY: boolean) => {
    const written: Array<string> = []
    return { written, isTTY, columns: 60, write: (text: string) => written.push(text) }
  }
  const run = { position: 1, of: 4, backend: "lmdb" }
  const [phase]: ReadonlyArray<Phase> = scenarioWith("").phases

  it("rewrites one line in a terminal, cut to its width, and lines that stay come after it is gone", () => {
    const terminal = sink(true)
    const progress = new Progress(terminal, false)
    progress.phase(run, phase)
    progress.second(run, phase, second(0, { create: 1234 }, 5))
    progress.line("done")
    assert.match(terminal.written[1], /^\r.*\[2\/4\] lmdb {2}fill 1 s {2}1,234\/s/)
    for (const text of terminal.written.slice(0, 2)) assert.isAtMost(text.length, 60 + 4)
    assert.deepStrictEqual(terminal.written.slice(2), ["\r\u001b[K", "done\n"])
  })

  it("writes a line every ten seconds elsewhere, and none in between where quiet is asked for", () => {
    for (const [isTTY, quiet, lines] of [
      [false, false, 2],
      [false, true, 0],
      [true, true, 0]
    ] as const) {
      const pipe = sink(isTTY)
      const progress = new Progress(pipe, quiet)
      progress.phase(run, phase)
      for (let at = 0; at < 25; at++) progress.second(run, phase, second(at, { create: 1 }))
      progress.line("done")
      assert.strictEqual(pipe.written.length, lines + 1)
      assert.strictEqual(pipe.written.at(-1), "done\n")
      for (const text of pipe.written.slice(0, -1)) assert.match(text, /^\[2\/4\] lmdb {2}fill [12]0 s .*\n$/)
    }
  })

  it("tells of a cluster by its own run's time", () => {
    const pipe = sink(false)
    const progress = new Progress(pipe, false)
    const now = {
      type: "progress",
      virtualMs: 0,
      durationMs: 60_000,
      wallMs: 0,
      speed: 10,
      zones: [{ name: "a", nodes: 4, ready: 3 }],
      pods: { Running: 7 },
      residentBytes: 2 ** 20,
      violations: 0,
      marks: [],
      shrinking: false
    } as const
    // Twenty seconds of one run, then the next one's first eleven.
    for (let wallMs = 0; wallMs <= 20_000; wallMs += 400) progress.cluster(run, { ...now, wallMs, virtualMs: wallMs })
    for (let wallMs = 0; wallMs <= 11_000; wallMs += 400) progress.cluster(run, { ...now, wallMs, virtualMs: wallMs })
    assert.strictEqual(pipe.written.length, 3)
    for (const text of pipe.written) assert.match(text, /3\/4 nodes ready {2}7 pods running.*\n$/)
  })
})
