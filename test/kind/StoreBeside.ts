// kube-apiserver's latencies on our store beside the same on etcd, interleaved in one run: create, update, list and the start of a watch,
// at a rate that both keep up (open loop: a call counts from when it was due). Prints Markdown: medians and p99 of each side, the ratio
// of p99 and its interval by bootstrap over rounds. Both control planes are up all the time; one is asked while the other rests.
// Run: `node test/kind/StoreBeside.ts [rounds] [seconds a phase]` (default 6 rounds of 4 s; one round takes eight phases).
import { mkdtempSync, rmSync } from "node:fs"
import { cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { Effect, Exit, Scope } from "effect"
import { openControlPlane } from "#kind"
import { type Client, gvr, httpClient, loadAccess } from "#kube"
import { RandomStream } from "#sim"
import { findBackend } from "../../scenarios/backends/Registry.ts"

const [rounds = 6, seconds = 4] = process.argv.slice(2).map(Number)
const OBJECTS = 300
const QUOTA_BYTES = 8 * 2 ** 30
const RESAMPLES = 2000
const place = { resource: gvr("", "v1", "configmaps"), namespace: "default" }
/** Calls a second; lists are of all 300 objects, fresh from the store. */
const rates = { create: 150, update: 150, list: 30, "watch start": 100 } as const
type Deed = keyof typeof rates
const deeds = Object.keys(rates) as ReadonlyArray<Deed>

interface Side {
  readonly name: string
  readonly client: Client
  version: string
  turn: number
  /** ms by deed and round. */
  readonly times: Map<Deed, Array<ReadonlyArray<number>>>
}

const scope = Scope.makeUnsafe()
const folder = mkdtempSync(join(tmpdir(), "wharf-beside-"))
const value = "x".repeat(512)

const openSide = (name: string) =>
  Effect.gen(function* () {
    const backend = yield* findBackend(name)
    const store = yield* backend.open({ dataDir: join(folder, name), quotaBytes: QUOTA_BYTES, fsync: true })
    const plane = yield* openControlPlane({
      name,
      directory: join(folder, `${name}-plane`),
      storeUrl: `http://${store.endpoint.host}:${store.endpoint.port}`,
      parts: [],
      apiServerFlags: ["--disable-admission-plugins=ServiceAccount"]
    })
    const client = yield* httpClient({ access: yield* loadAccess({ kubeconfig: plane.kubeconfig }) })
    const side: Side = { name: `${name} ${backend.version}`, client, version: "", turn: 0, times: new Map() }
    return side
  })

const configMap = (name: string, turn: number) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
  data: { value: `${turn} ${value}` }
})

const good = <A>(answer: A): A => {
  if (answer instanceof Error) throw answer
  return answer
}

/** One call; resolves once it is answered, for a watch once its first event is there. */
const call = (side: Side, deed: Deed): Promise<unknown> => {
  const { client } = side
  const turn = side.turn++
  const name = `m-${turn % OBJECTS}`
  return new Promise((resolve) => {
    if (deed === "create") {
      client.create(place, configMap(`c-${turn}`, turn), {}, (answer) => {
        side.version = ("metadata" in answer ? answer.metadata.resourceVersion : undefined) ?? side.version
        resolve(good(answer))
      })
    } else if (deed === "update") {
      client.update({ ...place, name }, configMap(name, turn), {}, (answer) => resolve(good(answer)))
    } else if (deed === "list") {
      client.list(place, {}, (answer) => resolve(good(answer)))
    } else {
      const stop = client.watch(
        place,
        { resourceVersion: "0", fieldSelector: `metadata.name=${name}` },
        {
          event: () => {
            stop()
            resolve(undefined)
          },
          ended: (failure) => (failure === undefined ? resolve(undefined) : good(failure))
        }
      )
    }
  })
}

/** Sends on schedule, whatever is still under way, and waits for all of it. */
const phase = async (side: Side, deed: Deed): Promise<ReadonlyArray<number>> => {
  const gapMs = 1000 / rates[deed]
  const count = Math.round(rates[deed] * seconds)
  const beginMs = performance.now()
  const times: Array<number> = []
  const running: Array<Promise<void>> = []
  for (let at = 0; at < count; at++) {
    const dueMs = beginMs + at * gapMs
    const waitMs = dueMs - performance.now()
    if (waitMs > 0) await new Promise((resume) => setTimeout(resume, waitMs))
    running.push(call(side, deed).then(() => void times.push(performance.now() - dueMs)))
  }
  await Promise.all(running)
  return times
}

/** What creating left behind is gone before lists are asked. */
const cleared = (side: Side, from: number): Promise<ReadonlyArray<unknown>> =>
  Promise.all(
    Array.from({ length: side.turn - from }, (_, at) => at + from).map(
      (turn) => new Promise((resolve) => side.client.delete({ ...place, name: `c-${turn}` }, {}, resolve))
    )
  )

const shareOf = (values: ReadonlyArray<number>, share: number): number => {
  const ascending = values.toSorted((left, right) => left - right)
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? Number.NaN
}

const flat = (side: Side, deed: Deed, at: ReadonlyArray<number>): ReadonlyArray<number> =>
  at.flatMap((round) => side.times.get(deed)?.[round] ?? [])

/** Of the ratio of p99, at 95 %, resampling whole rounds. */
const interval = (ours: Side, theirs: Side, deed: Deed): readonly [number, number] => {
  const random = new RandomStream(1)
  const ratios = Array.from({ length: RESAMPLES }, () => {
    const [a, b] = [ours, theirs].map((side) => {
      const drawn = Array.from({ length: rounds }, () => random.below(rounds))
      return shareOf(flat(side, deed, drawn), 0.99)
    })
    return a / b
  })
  return [shareOf(ratios, 0.025), shareOf(ratios, 0.975)]
}

const measure = async (sides: readonly [Side, Side]): Promise<void> => {
  for (const side of sides) {
    for (let at = 0; at < OBJECTS; at++) {
      const object = configMap(`m-${at}`, at)
      await new Promise((resolve) => side.client.create(place, object, {}, (answer) => resolve(good(answer))))
    }
    for (const deed of deeds) side.times.set(deed, [])
  }
  // The first round warms both up and is not counted.
  for (let round = -1; round < rounds; round++) {
    for (const deed of deeds) {
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
        const from = side.turn
        const times = await phase(side, deed)
        if (deed === "create") await cleared(side, from)
        if (round >= 0) side.times.get(deed)?.push(times)
      }
    }
  }
}

const ms = (value: number): string => `${value.toFixed(2)} ms`

try {
  const names = ["lmdb", "etcd"] as const
  const [ours, theirs] = await Effect.runPromise(
    Effect.forEach(names, openSide).pipe(Effect.provideService(Scope.Scope, scope), Effect.provide(NodeServices.layer))
  )
  await measure([ours, theirs])
  const all = Array.from({ length: rounds }).keys().toArray()
  console.log(
    `${rounds} rounds of ${seconds} s a phase, ${cpus().length} × ${cpus()[0]?.model}, ours ${ours.name}, beside ${theirs.name}\n`
  )
  console.log("| | calls a second | calls a side | ours p50 | etcd p50 | ours p99 | etcd p99 | p99 ratio (95 %) |")
  console.log("|---|---|---|---|---|---|---|---|")
  for (const deed of deeds) {
    const [a, b] = [flat(ours, deed, all), flat(theirs, deed, all)]
    const [low, high] = interval(ours, theirs, deed)
    const [p50, p99] = [0.5, 0.99].map((share) => [shareOf(a, share), shareOf(b, share)] as const)
    console.log(
      `| ${deed} | ${rates[deed]} | ${a.length} | ${ms(p50[0])} | ${ms(p50[1])} | ${ms(p99[0])} | ${ms(p99[1])} | ${(p99[0] / p99[1]).toFixed(2)}× (${low.toFixed(2)} to ${high.toFixed(2)}) |`
    )
  }
} finally {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  rmSync(folder, { recursive: true, force: true })
}
