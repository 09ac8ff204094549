// Plays a scene at the real scheduler, one pod at a time, and asks ours about each before the real one has answered.
// Owns the order of things and the waiting; what is equal and what is not, Tally.ts says.
import { type Json, type JsonObject, type KubeObject, rfc3339 } from "#kube"
import { type Answer, type FedKind, fedKinds, OurScheduler } from "./OurScheduler.ts"
import { namespaceNames, pause, type RealScheduler, Refused } from "./RealScheduler.ts"
import { admissibleNode, admissiblePod, budget, canary, lasting, type Scene, sceneOf, service } from "./Scenes.ts"
import { claimOf, claimVolume, diskVolume, driversOf, volumeOf, volumeOfClaim } from "./SceneVolumes.ts"
import type { Outcome, Tally } from "./Tally.ts"
import { bindVolumes } from "./VolumeController.ts"

const PATIENCE_MS = 30_000
const POLL_MS = 4
/** For what other watches than that of pods and nodes bring. */
const SETTLE_MS = 40

interface PodView {
  readonly spec: {
    readonly nodeName?: string
    readonly volumes?: ReadonlyArray<{ readonly persistentVolumeClaim?: { readonly claimName: string } }>
  }
  readonly status: {
    readonly nominatedNodeName?: string
    readonly conditions?: ReadonlyArray<{ readonly type: string; readonly status: string; readonly message?: string }>
  }
}

// SAFETY: pods of an API server have both.
const viewOf = (pod: KubeObject): PodView => pod as unknown as PodView

const answered = (pod: KubeObject): Outcome | undefined => {
  const { spec, status } = viewOf(pod)
  if (spec.nodeName !== undefined) return { node: spec.nodeName, message: "", nominated: "" }
  const condition = status.conditions?.find((one) => one.type === "PodScheduled" && one.status === "False")
  if (condition === undefined) return undefined
  return { node: "", message: condition.message ?? "", nominated: status.nominatedNodeName ?? "" }
}

const outcomeOf = async (real: RealScheduler, pod: KubeObject): Promise<Outcome> => {
  const until = Date.now() + PATIENCE_MS
  const usesClaims = viewOf(pod).spec.volumes?.some((one) => one.persistentVolumeClaim !== undefined) === true
  for (;;) {
    const outcome = answered(await real.get(pod))
    if (outcome !== undefined) return outcome
    if (Date.now() > until) throw new Error(`no answer about ${JSON.stringify(pod)}`)
    if (usesClaims) await bindVolumes(real)
    await pause(POLL_MS)
  }
}

/** Objects of all scenes. */
export const prepare = async (real: RealScheduler): Promise<void> => {
  for (const [at, name] of namespaceNames.entries()) {
    const labels = { team: at === 0 ? "a" : "b" }
    const object: KubeObject = { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } }
    // The API server makes the first by itself, in its own time.
    await real.create(object).catch(() => real.merge(object, { metadata: { labels } }))
  }
  for (const one of lasting) await real.create(one)
}

/** Returns once the scheduler says of a pod that no node takes what it would say of exactly these nodes. */
const seenNodes = async (real: RealScheduler, name: string, count: number, closed: number): Promise<void> => {
  for (let turn = 0; turn < 100; turn++) {
    const bird = await real.create(canary(`${name}${turn}`))
    const { message } = await outcomeOf(real, bird)
    await real.remove(bird)
    const isCounted = message.startsWith(`0/${count} nodes are available: `)
    const told = /(\d+) node\(s\) were unschedulable/.exec(message)?.[1] ?? "0"
    if (isCounted && Number(told) === closed) return
    await pause(20)
  }
  throw new Error(`the scheduler does not see ${count} nodes, ${closed} of them closed`)
}

/**
 * Makes the nodes known to the scheduler before any of them is open: it counts the nodes that have an image when a node last changed.
 */
const createNodes = async (real: RealScheduler, seed: number, nodes: ReadonlyArray<KubeObject>): Promise<void> => {
  for (const one of nodes) await real.create({ ...one, spec: { ...(one.spec as JsonObject), unschedulable: true } })
  await seenNodes(real, `s${seed}-closed`, nodes.length, nodes.length)
  // Those that stay closed first: the others' opening tells that these have been seen too.
  const isClosed = ({ spec }: KubeObject): boolean => (spec as JsonObject)["unschedulable"] === true
  const [closed, open] = [nodes.filter(isClosed), nodes.filter((one) => !isClosed(one))]
  for (const one of closed) await real.merge(one, { metadata: { annotations: { known: "yes" } } })
  for (const one of open) await real.merge(one, { spec: { unschedulable: null } })
  await seenNodes(real, `s${seed}-open`, nodes.length, closed.length)
}

const createAll = async (real: RealScheduler, seed: number, scene: Scene): Promise<ReadonlyArray<KubeObject>> => {
  const services = await Promise.all(scene.services.map((app) => real.create(service(app))))
  for (const { allowed, app } of scene.budgets) {
    const made = await real.create(budget(app))
    await real.merge(made, { status: { disruptionsAllowed: allowed } }, "status")
  }
  const nodes = scene.nodes.map((parts, at) => admissibleNode(nodeName(seed, at), parts))
  if (scene.hasVolumes) {
    for (const [at, parts] of scene.claims.entries()) {
      if (parts.kind === "missing") continue
      const claim = await real.create(claimOf(`s${seed}-c${at}`, parts))
      if (parts.kind === "bound") await real.create(volumeOfClaim(claim, parts))
    }
    for (const [at, { place, size }] of scene.volumes.entries()) {
      const made = await real.create(volumeOf({ name: `s${seed}-v${at}`, className: "local", place, size }))
      await real.merge(made, { status: { phase: "Available" } }, "status")
    }
    for (const [at, node] of nodes.entries()) {
      const limit = scene.limits[at]
      if (limit !== null && limit !== undefined) await real.create(driversOf(node, limit))
    }
  }
  await createNodes(real, seed, nodes)
  return services
}

const nodeName = (seed: number, at: number): string => `s${seed}-n${at}`

/** One term: a node must have all the names. */
const naming = (names: ReadonlyArray<string>): JsonObject => {
  const matchFields = names.map((name) => ({ key: "metadata.name", operator: "In", values: [name] }))
  return { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] } } }
}

const podsOf = (seed: number, scene: Scene): ReadonlyArray<{ readonly pod: KubeObject; readonly lingers: boolean }> => {
  let count = 0
  return scene.steps.flatMap(({ claim, copies, disk, lingers, named, never, parts }) =>
    Array.from({ length: copies + 1 }, () => {
      const pod = admissiblePod(`s${seed}-p${count++}`, parts)
      const volumes: Array<JsonObject> = []
      if (scene.hasVolumes && claim !== null) volumes.push(claimVolume(`s${seed}-c${claim % scene.claims.length}`))
      if (scene.hasVolumes && disk !== null) volumes.push(diskVolume(disk))
      const more = {
        ...(volumes.length === 0 ? {} : { volumes }),
        ...(named.length === 0 ? {} : { affinity: naming(named.map((at) => nodeName(seed, at % scene.nodes.length))) }),
        ...(never === 0 ? { priorityClassName: "class-never" } : {})
      }
      const namespace = volumes.length === 0 ? pod.metadata.namespace : "default"
      // SAFETY: a spec is JSON.
      const spec = { ...(pod.spec as JsonObject), ...more } as Json
      return { pod: { ...pod, metadata: { ...pod.metadata, namespace: namespace ?? "default" }, spec }, lingers }
    })
  )
}

/** Creates a pod; one that is refused for the requests of the whole comes without them. */
const createPod = async (real: RealScheduler, pod: KubeObject): Promise<KubeObject> => {
  // SAFETY: a spec is an object.
  const { resources, ...spec } = pod.spec as JsonObject
  if (resources === undefined) return real.create(pod)
  return real.create(pod).catch((failure: unknown) => {
    if (!(failure instanceof Refused)) throw failure
    return real.create({ ...pod, spec })
  })
}

/** Whom ours would evict on a node; those that are on their way out already are not told again. */
const evictedOn = ({ candidates }: Answer, node: string, ending: ReadonlySet<string>): ReadonlyArray<KubeObject> =>
  candidates
    .filter(({ name }) => name === node)
    .flatMap(({ victims }) => victims.filter(({ uid }) => !ending.has(uid)).map(({ pod }) => pod))

/** Pods that are being evicted now and were not before; waits until they are as many as expected, or for long enough. */
const victimsOf = async (
  real: RealScheduler,
  before: ReadonlySet<string>,
  expected: number
): Promise<ReadonlyArray<KubeObject>> => {
  const until = Date.now() + 2000
  for (;;) {
    const all = await real.list("Pod")
    const found = all.filter(
      ({ metadata: { deletionTimestamp, uid = "" } }) => deletionTimestamp !== undefined && !before.has(uid)
    )
    if (found.length >= expected || Date.now() > until) return found
    await pause(POLL_MS)
  }
}

const endingOf = (pods: ReadonlyArray<KubeObject>): ReadonlySet<string> =>
  new Set(pods.filter(({ metadata }) => metadata.deletionTimestamp !== undefined).map(({ metadata }) => metadata.uid!))

/** Once the only victim is gone: where ours sees the pod that was promised its room, and where the real one binds it. */
const afterVictim = async (
  real: RealScheduler,
  refresh: (except: KubeObject) => Promise<unknown>,
  ours: OurScheduler,
  { pod, victim }: { readonly pod: KubeObject; readonly victim: KubeObject }
): Promise<{ readonly ours: string; readonly real: string }> => {
  const promised = await real.get(pod)
  await real.remove(victim)
  await refresh(pod)
  const until = Date.now() + PATIENCE_MS
  for (;;) {
    const { nodeName } = viewOf(await real.get(pod)).spec
    if (nodeName !== undefined || Date.now() > until)
      return { ours: ours.decide(promised) ?? "none", real: nodeName ?? "none" }
    await pause(SETTLE_MS)
  }
}

/** Plays the scene of a seed; every answer goes into the tally. */
export const playScene = async (real: RealScheduler, seed: number, tally: Tally): Promise<void> => {
  const scene = sceneOf(seed)
  const services = await createAll(real, seed, scene)
  const ours = new OurScheduler()
  const feed = async (kind: FedKind, except?: KubeObject): Promise<ReadonlyArray<KubeObject>> => {
    const all = await real.list(kind)
    const objects = all.filter(({ metadata }) => metadata.uid !== except?.metadata.uid)
    ours.feed(kind, objects)
    return objects
  }
  const refresh = async (except?: KubeObject): Promise<ReadonlyArray<KubeObject>> => {
    const changing = scene.hasVolumes ? (["PersistentVolume", "PersistentVolumeClaim"] as const) : []
    await Promise.all(changing.map((kind) => feed(kind)))
    return feed("Pod", except)
  }
  for (const kind of fedKinds) await feed(kind)
  let clock = Date.now() - 3_600_000
  await pause(SETTLE_MS)
  for (const { lingers, pod } of podsOf(seed, scene)) {
    const ending = endingOf(await refresh())
    const made = await createPod(real, pod)
    const answer = ours.judge(made)
    const outcome = await outcomeOf(real, made)
    const expected = evictedOn(answer, outcome.nominated, ending)
    const victims = outcome.nominated === "" ? [] : await victimsOf(real, ending, expected.length)
    tally.add({
      seed,
      pod: made,
      answer,
      outcome,
      victims,
      expected,
      isBest: (name) => ours.isBest(answer.candidates, name)
    })
    let isPlaced = outcome.node !== ""
    const alone = answer.candidates.some(({ name, victims: all }) => name === outcome.nominated && all.length === 1)
    if (alone && victims.length === 1 && !lingers && !scene.hasVolumes) {
      const after = await afterVictim(real, refresh, ours, { pod: made, victim: victims[0] })
      tally.promised(seed, made, after)
      isPlaced = after.real !== "none"
    } else if (!isPlaced) {
      await real.remove(made)
      if (!lingers) for (const victim of victims) await real.remove(victim)
    }
    if (isPlaced) {
      // As a kubelet would: the order in which pods began counts when some must go.
      clock += 7000
      await real.merge(made, { status: { phase: "Running", startTime: rfc3339(clock) } }, "status")
    }
    if (scene.hasVolumes) await pause(SETTLE_MS)
  }
  for (const kind of ["Pod", "PersistentVolumeClaim", "PersistentVolume", "CSINode", "PodDisruptionBudget", "Node"])
    await real.clear(kind)
  for (const one of services) await real.remove({ ...one, kind: "Service" })
}
