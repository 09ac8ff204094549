// One run under faults: writers and informers of @kubernetes/client-node at work while, at seeded moments, a real kube-apiserver and our
// store below it are hurt; then all is mended, and histories, informers and the store's own count must agree.
// Owns the choice of faults and moments from one seed, and the judgement. Which interleaving follows is the machine's.
import { readFileSync } from "node:fs"
import { NodeServices } from "@effect/platform-node"
import { CoreV1Api, KubeConfig, makeInformer, type V1ConfigMap } from "@kubernetes/client-node"
import { Effect, Exit, Scope } from "effect"
import { type Client, gvr, httpClient, loadAccess } from "#kube"
import { RandomStream } from "#sim"
import { compactStore } from "../../../scenarios/targets/StoreCompaction.ts"
import { type FaultRig, type Hurt, openFaultRig } from "./FaultRig.ts"
import { type RegisterCounts, Registers } from "./Registers.ts"

const NAMESPACE = "registers"
const WRITERS = 6
const INFORMERS = 3
const REQUEST_TIMEOUT_MS = 8000
const AGAIN_MS = 200
const MENDED_WITHIN_MS = 60_000

export interface FaultRunReport extends RegisterCounts {
  readonly seed: number
  readonly faults: Readonly<Record<string, number>>
  readonly informerEvents: number
  readonly informerRestarts: number
  readonly problems: ReadonlyArray<string>
}

const pause = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms))

const restarted = async (hurt: Hurt, downMs: number): Promise<void> => {
  await Effect.runPromise(hurt.kill)
  await pause(downMs)
  await Effect.runPromise(hurt.start)
}

const stopped = async (hurt: Hurt, forMs: number): Promise<void> => {
  hurt.signal("SIGSTOP")
  await pause(forMs)
  hurt.signal("SIGCONT")
}

const during = async (set: (on: boolean) => void, forMs: number): Promise<void> => {
  set(true)
  await pause(forMs)
  set(false)
}

type Fault = (rig: FaultRig, random: RandomStream) => Promise<void>

const faults: Readonly<Record<string, Fault>> = {
  "store killed": (rig, random) => restarted(rig.store, random.between(0, 1500)),
  "API server killed": (rig, random) => restarted(rig.server, random.between(0, 1000)),
  "store stopped": (rig, random) => stopped(rig.store, random.between(300, 4000)),
  "API server stopped": (rig, random) => stopped(rig.server, random.between(300, 4000)),
  "slow disk": (rig, random) => {
    const { slowDisk = () => undefined } = rig
    return during((on) => slowDisk(on ? 20 + random.below(300) : 0), random.between(500, 3000))
  },
  "store's network cut": (rig, random) => during(rig.toStore.setCut, random.between(100, 3000)),
  "store's network stalled": (rig, random) => during(rig.toStore.setStalled, random.between(100, 4000)),
  "store's connections reset": async (rig) => rig.toStore.reset(),
  "clients' network cut": (rig, random) => during(rig.toServer.setCut, random.between(100, 2000)),
  "clients' network stalled": (rig, random) => during(rig.toServer.setStalled, random.between(100, 3000)),
  compaction: (rig) =>
    Effect.runPromise(Effect.ignore(compactStore({ host: "127.0.0.1", port: rig.storePort }, 5)).pipe(Effect.scoped))
}

interface Followed {
  readonly counts: { events: number; restarts: number }
  /** Name and version of everything that it holds. */
  readonly holds: () => string
  readonly stop: () => Promise<void>
}

const held = (items: ReadonlyArray<V1ConfigMap>): string =>
  items
    .map(({ data, metadata }) => `${metadata?.name}@${metadata?.resourceVersion}=${data?.["value"]}`)
    .filter((line) => line.startsWith("r-"))
    .toSorted()
    .join("\n")

/** An informer that is started again after an error, as its documentation says. */
const follow = (kubeconfig: string): Followed => {
  const config = new KubeConfig()
  config.loadFromString(readFileSync(kubeconfig, "utf8"))
  const api = config.makeApiClient(CoreV1Api)
  const path = `/api/v1/namespaces/${NAMESPACE}/configmaps`
  const informer = makeInformer<V1ConfigMap>(config, path, () => api.listNamespacedConfigMap({ namespace: NAMESPACE }))
  const counts = { events: 0, restarts: 0 }
  let ended = false
  for (const happening of ["add", "update", "delete"] as const) informer.on(happening, () => void counts.events++)
  const again = (): void => {
    if (ended) return
    counts.restarts++
    setTimeout(() => void informer.start().catch(again), AGAIN_MS)
  }
  informer.on("error", again)
  void informer.start().catch(again)
  return {
    counts,
    holds: () => held(informer.list(NAMESPACE)),
    stop: async () => {
      ended = true
      await informer.stop()
    }
  }
}

const begun = (client: Client): Promise<void> =>
  new Promise((resolve, reject) => {
    const object = { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } }
    client.create({ resource: gvr("", "v1", "namespaces"), namespace: "" }, object, {}, (answer) =>
      answer instanceof Error ? reject(answer) : resolve()
    )
  })

/** What the server holds now, read from the store. */
const fresh = async (kubeconfig: string): Promise<string> => {
  const config = new KubeConfig()
  config.loadFromString(readFileSync(kubeconfig, "utf8"))
  const { items } = await config.makeApiClient(CoreV1Api).listNamespacedConfigMap({ namespace: NAMESPACE })
  return held(items)
}

/** Waits until the server answers from the store again; what it does not answer then is found by who asks next. */
const mended = async (kubeconfig: string): Promise<void> => {
  const until = performance.now() + MENDED_WITHIN_MS
  while (performance.now() < until) {
    const answered = await fresh(kubeconfig).then(
      () => true,
      () => false
    )
    if (answered) return
    await pause(AGAIN_MS)
  }
}

const agree = async (kubeconfig: string, informers: ReadonlyArray<Followed>): Promise<ReadonlyArray<string>> => {
  const until = performance.now() + MENDED_WITHIN_MS
  for (;;) {
    const now = await fresh(kubeconfig).catch((error: unknown) => String(error))
    const wrong = informers.flatMap((informer, at) => (informer.holds() === now ? [] : [`informer ${at} is wrong`]))
    if (wrong.length === 0 || performance.now() > until) return wrong
    await pause(AGAIN_MS)
  }
}

const inflict = async (rig: FaultRig, random: RandomStream, forMs: number): Promise<Record<string, number>> => {
  const done: Record<string, number> = {}
  const names = Object.keys(faults).filter((name) => name !== "slow disk" || rig.slowDisk !== undefined)
  const until = performance.now() + forMs
  let turn = random.shuffled(names)
  while (performance.now() < until) {
    await pause(random.between(200, 1500))
    const [name, ...rest] = turn
    turn = rest.length === 0 ? random.shuffled(names) : rest
    await faults[name](rig, random)
    done[name] = (done[name] ?? 0) + 1
  }
  return done
}

/** Runs for so long under the faults of a seed. */
export const faultRun = async (folder: string, seed: number, forMs: number): Promise<FaultRunReport> => {
  const scope = Scope.makeUnsafe()
  try {
    const rig = await Effect.runPromise(
      openFaultRig(folder).pipe(Effect.provideService(Scope.Scope, scope), Effect.provide(NodeServices.layer))
    )
    const client = await Effect.runPromise(
      loadAccess({ kubeconfig: rig.kubeconfig }).pipe(
        Effect.flatMap((access) => httpClient({ access, requestTimeoutMs: REQUEST_TIMEOUT_MS })),
        Effect.provideService(Scope.Scope, scope)
      )
    )
    const random = new RandomStream(seed)
    await begun(client)
    const informers = Array.from({ length: INFORMERS }, () => follow(rig.kubeconfig))
    const registers = new Registers(client, NAMESPACE, random.split("registers"))
    registers.start(WRITERS)
    const done = await inflict(rig, random.split("faults"), forMs)
    await registers.stop(() => mended(rig.kubeconfig))
    const wrong = await agree(rig.kubeconfig, informers)
    await Promise.all(informers.map(({ stop }) => stop()))
    const sum = (of: (one: Followed) => number): number => informers.reduce((total, one) => total + of(one), 0)
    return {
      seed,
      ...registers.counts,
      faults: done,
      informerEvents: sum(({ counts }) => counts.events),
      informerRestarts: sum(({ counts }) => counts.restarts),
      problems: [...registers.problems, ...wrong]
    }
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
