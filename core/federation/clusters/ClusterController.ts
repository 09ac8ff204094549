// The life of a member on the host: finalizers, connection, join, health, room, types, taints, and at last the leave.
// Owns FederatedCluster's status and our taints; refuses to touch propagated objects, which the sync controllers of the cascade do.
// One key is one cluster; a cluster that does not answer costs a place among the workers for as long as one probe takes.
import { Effect, Result } from "effect"
import { fieldsOf, itemsOf } from "#apiserver"
import {
  ApiFailure,
  type Clockwork,
  type ClockworkRuntime,
  type Controller,
  type EffectClient,
  Failures,
  type Informer,
  type JsonObject,
  type KubeObject,
  type LabelSelector,
  makeController,
  objectKey,
  parseRfc3339,
  type Reconciled,
  sameJson
} from "#kube"
import { federationAnnotations, federationFinalizers, federationResources } from "../api/FederationNames.ts"
import type { TypeConfig } from "../api/TypeConfig.ts"
import { find, finalizersWith, MANAGER, patchRead } from "../HostCalls.ts"
import {
  type ClusterHealth,
  defaultHealthOptions,
  type HealthOptions,
  observeHealth
} from "../failover/ClusterHealth.ts"
import { type BrakeOptions, defaultBrakeOptions, planTaints, type TaintPlan } from "../failover/TaintPlan.ts"
import {
  healthAtStart,
  healthConditions,
  joinedNow,
  notJoined,
  type Probe,
  seenOf,
  thoughtBy,
  thoughtOf,
  withPlannedTaints
} from "./ClusterConditions.ts"
import { clusterRoom } from "./ClusterRoom.ts"
import { ClusterTaken, joinCluster, secretTarget, unjoinMember } from "./JoinCluster.ts"
import type { Member } from "./Member.ts"
import { forgetToken, keepAccount } from "./MemberAccount.ts"
import type { Members } from "./Members.ts"

/** How often and how patiently members are looked at, in milliseconds. */
export interface ClusterTimes {
  readonly probeMs: number
  readonly health: HealthOptions
  readonly brake: BrakeOptions
  readonly roomMs: number
  readonly typesMs: number
  /** A leave waits so long for a member that does not answer, and then goes on without it. */
  readonly leaveMs: number
}

/** A look each ten seconds; losses and the brake as failover has them. */
export const usualClusterTimes: ClusterTimes = {
  probeMs: 10_000,
  health: defaultHealthOptions,
  brake: defaultBrakeOptions,
  roomMs: 60_000,
  typesMs: 120_000,
  leaveMs: 120_000
}

export interface ClusterControllerOptions {
  readonly clockwork: Clockwork
  readonly runtime: ClockworkRuntime
  readonly host: EffectClient
  readonly clusters: Informer
  readonly members: Members
  /** What is federated: what an account of our own in a member may do. */
  readonly types: () => ReadonlyArray<TypeConfig>
  /** False only keeps the ways to members open: of several processes one writes. Default true. */
  readonly writes?: boolean
  readonly times?: ClusterTimes
  /** Labels of nodes that give no room, wherever nodes are added up. */
  readonly excludedNodes?: ReadonlyArray<LabelSelector>
  /** Members looked at at the same time. Default 64. */
  readonly workers?: number
  readonly onFailure?: (cluster: string, failure: ApiFailure) => void
}

/** What is remembered of a member between two looks. Bound: one for each FederatedCluster. */
interface Memory {
  health: ClusterHealth | undefined
  thought: Probe | undefined
  probedMs: number
  roomMs: number
  typesMs: number
}

const WORKERS = 64
const LEAVE_AGAIN_MS = 2000
const PLAN_MS = 1000

const target = (name: string) => ({ resource: federationResources.clusters, namespace: "", name })

const hasFinalizer = ({ metadata }: KubeObject, finalizer: string): boolean =>
  metadata.finalizers?.includes(finalizer) === true

class ClusterLoop {
  readonly #options: ClusterControllerOptions
  readonly #times: ClusterTimes
  readonly #memory = new Map<string, Memory>()

  constructor(options: ClusterControllerOptions) {
    this.#options = options
    this.#times = options.times ?? usualClusterTimes
  }

  reconcile = (name: string): Effect.Effect<Reconciled, ApiFailure> =>
    Effect.suspend((): Effect.Effect<Reconciled, ApiFailure> => {
      const cluster = this.#options.clusters.store.get(name)
      if (cluster !== undefined) return this.#look(name, cluster)
      this.#options.members.drop(name)
      this.#memory.delete(name)
      return Effect.void
    })

  #look(name: string, cluster: KubeObject) {
    return Effect.gen({ self: this }, function* () {
      if (this.#options.writes === false) return yield* this.#watchOver(name, cluster)
      if (cluster.metadata.deletionTimestamp !== undefined) return yield* this.#leave(name, cluster)
      const { host } = this.#options
      const finalizers = finalizersWith(cluster, [federationFinalizers.cluster, federationFinalizers.cascadingDelete])
      // What is written comes back as an event, and with it the next look.
      if (finalizers !== undefined)
        return void (yield* patchRead(host, target(name), cluster, { metadata: { finalizers } }))
      const wait = this.#waitMs(name)
      if (wait > 0 && this.#options.members.member(name) !== undefined) return { requeueAfterMs: wait }
      const member = yield* this.#connected(cluster)
      if (member instanceof ApiFailure) {
        // What it takes to reach it is missing: as good as nobody answering.
        const memory = this.#memoryOf(name, cluster)
        const thought = this.#think(memory, "offline")
        yield* this.#writeStatus(name, cluster, (status) => {
          const conditions = healthConditions(itemsOf(status["conditions"]), thought, this.#now())
          return notJoined({ ...status, conditions }, "ClusterUnreachable", member.message, this.#now())
        })
        yield* this.#writeTaints(name)
        return { requeueAfterMs: this.#times.probeMs }
      }
      return yield* this.#examine(name, cluster, member)
    })
  }

  /** Another process writes: here the way to the member is kept, and closed for a while when nobody answers. */
  #watchOver(name: string, cluster: KubeObject) {
    return Effect.gen({ self: this }, function* () {
      const joined = this.#options.members.cluster(name)?.joined === true
      const member = joined ? yield* this.#connected(cluster) : undefined
      if (member !== undefined && !(member instanceof ApiFailure) && (yield* probed(member)) === "ready") {
        if (member.client.circuit.isOpen) member.client.circuit.succeeded()
      }
      return { requeueAfterMs: this.#times.probeMs }
    })
  }

  #now(): number {
    return this.#options.clockwork.now()
  }

  #memoryOf(name: string, cluster: KubeObject): Memory {
    const known = this.#memory.get(name)
    if (known !== undefined) return known
    const thought = thoughtOf(cluster)
    const fresh: Memory = {
      health: healthAtStart(thought, this.#now()),
      thought,
      probedMs: -Infinity,
      roomMs: -Infinity,
      typesMs: -Infinity
    }
    this.#memory.set(name, fresh)
    return fresh
  }

  #waitMs(name: string): number {
    const memory = this.#memory.get(name)
    if (memory === undefined) return 0
    return memory.probedMs + this.#times.probeMs - this.#options.clockwork.monotonic()
  }

  #connected(cluster: KubeObject): Effect.Effect<Member | ApiFailure, ApiFailure> {
    const { host, members } = this.#options
    return Effect.gen(function* () {
      const secret = yield* find(host, secretTarget(cluster))
      if (secret === undefined)
        return Failures.generic(404, "NotFound", `spec.secretRef: no Secret ${secretTarget(cluster).name}`)
      return members.connect(cluster, secret)
    })
  }

  /** Probes; joins where that is due; brings room, types, conditions and taints up to date. */
  #examine(name: string, cluster: KubeObject, member: Member) {
    return Effect.gen({ self: this }, function* () {
      const { clockwork, members } = this.#options
      const memory = this.#memoryOf(name, cluster)
      const probe = yield* probed(member)
      memory.probedMs = clockwork.monotonic()
      const before = memory.thought
      const thought = this.#think(memory, probe)
      if (probe === "ready") {
        if (member.client.circuit.isOpen) member.client.circuit.succeeded()
        if (before !== "ready") member.heard()
      }
      const joined = members.cluster(name)?.joined === true
      const said = joined || probe !== "ready" ? undefined : yield* this.#join(cluster, member)
      const facts = probe === "ready" ? yield* this.#facts(memory, member, cluster) : {}
      yield* this.#writeStatus(name, cluster, (status) => {
        const conditions = healthConditions(itemsOf(status["conditions"]), thought, this.#now())
        const next = { ...status, ...facts, conditions }
        if (said === undefined) return next
        if (said === "joined") return joinedNow(next, this.#now())
        return notJoined(next, said.reason, said.message, this.#now())
      })
      yield* this.#writeTaints(name)
      const jitter = 1 + clockwork.random() * 0.1
      return { requeueAfterMs: this.#times.probeMs * (said === undefined || said === "joined" ? jitter : 0.2) }
    })
  }

  #join(cluster: KubeObject, member: Member) {
    const { host } = this.#options
    return Effect.gen({ self: this }, function* () {
      const secret = yield* find(host, secretTarget(cluster))
      if (secret === undefined) return { reason: "ClusterUnjoinable", message: "its Secret is gone" }
      const end = yield* Effect.result(joinCluster(host, member, cluster, { secret, types: this.#options.types() }))
      if (Result.isSuccess(end)) return "joined" as const
      const { failure } = end
      return failure instanceof ClusterTaken
        ? { reason: "ClusterUnjoinable", message: "the cluster has joined another federation" }
        : { reason: "JoinFailed", message: failure.message }
    })
  }

  /** Room and types, each when it is time; what cannot be read now stays as it was. With the types goes what our account there may do. */
  #facts(memory: Memory, member: Member, cluster: KubeObject): Effect.Effect<JsonObject> {
    return Effect.gen({ self: this }, function* () {
      const now = this.#options.clockwork.monotonic()
      const facts: { resources?: JsonObject; apiResourceTypes?: ReadonlyArray<JsonObject> } = {}
      if (now - memory.roomMs >= this.#times.roomMs) {
        const room = yield* Effect.result(roomOf(member, this.#options.excludedNodes))
        if (Result.isSuccess(room)) {
          facts.resources = room.success
          memory.roomMs = now
        } else this.#options.onFailure?.(member.name, room.failure)
      }
      if (now - memory.typesMs >= this.#times.typesMs) {
        const types = yield* typesOf(member)
        if (!(types instanceof ApiFailure)) {
          facts.apiResourceTypes = types
          memory.typesMs = now
        } else this.#options.onFailure?.(member.name, types)
        if (fieldsOf(cluster.spec)["useServiceAccount"] === true) {
          const { host, types: federated } = this.#options
          const account = { target: secretTarget(cluster), nowMs: this.#now() }
          const end = yield* Effect.result(keepAccount(host, member.effects, federated(), account))
          if (Result.isFailure(end)) this.#options.onFailure?.(member.name, end.failure)
        }
      }
      return facts
    })
  }

  #writeStatus(name: string, cluster: KubeObject, change: (status: JsonObject) => JsonObject) {
    return Effect.suspend(() => {
      const current = this.#options.clusters.store.get(name) ?? cluster
      const before = fieldsOf(current.status)
      const status = change(before)
      if (sameJson(before, status)) return Effect.void
      return Effect.asVoid(
        this.#options.host.update({ ...target(name), subresource: "status" }, { ...current, status }, MANAGER)
      )
    })
  }

  /** What is thought of a member after one more look. */
  #think(memory: Memory, probe: Probe): Probe {
    const nowMs = this.#now()
    memory.health = observeHealth(memory.health, { seen: seenOf(probe), nowMs, options: this.#times.health })
    // A look that finds no news may still find that enough time has passed.
    memory.health = observeHealth(memory.health, { seen: seenOf(probe), nowMs, options: this.#times.health })
    memory.thought = thoughtBy(memory.health, memory.thought)
    return memory.thought
  }

  #writeTaints(name: string) {
    return Effect.suspend(() => {
      const { clusters, host } = this.#options
      const cluster = clusters.store.get(name)
      const change = this.#taintPlan().changes.find((one) => one.cluster === name)
      if (cluster === undefined || change === undefined) return Effect.void
      const before = itemsOf(fieldsOf(cluster.spec)["taints"])
      const taints = withPlannedTaints(before, change.taints)
      if (sameJson(before, taints)) return Effect.void
      return Effect.asVoid(patchRead(host, target(name), cluster, { spec: { taints } }))
    })
  }

  #planned: { readonly plan: TaintPlan; readonly atMs: number } | undefined

  /** The plan over all members, made anew at most once a second. */
  #taintPlan(): TaintPlan {
    const { clockwork, members } = this.#options
    const now = clockwork.monotonic()
    if (this.#planned !== undefined && now - this.#planned.atMs < PLAN_MS) return this.#planned.plan
    const { brake, health } = this.#times
    const known = members.fleet.clusters.flatMap(({ name, taints }) => {
      const judged = this.#memory.get(name)?.health
      return judged === undefined ? [] : [{ name, health: judged, taints }]
    })
    const plan = planTaints({ clusters: known, nowMs: this.#now(), health, brake })
    this.#planned = { plan, atMs: now }
    return plan
  }

  #leave(name: string, cluster: KubeObject) {
    return Effect.gen({ self: this }, function* () {
      const { host, members } = this.#options
      // First those who empty the member, if they are to.
      if (hasFinalizer(cluster, federationFinalizers.cascadingDelete)) {
        if (cascades(cluster)) return { requeueAfterMs: LEAVE_AGAIN_MS }
        const finalizers = finalizersWith(cluster, [], [federationFinalizers.cascadingDelete])
        return void (yield* patchRead(host, target(name), cluster, { metadata: { finalizers } }))
      }
      if (!hasFinalizer(cluster, federationFinalizers.cluster)) return undefined
      if (fieldsOf(cluster.status)["joinPerformed"] === true) {
        const member = yield* this.#connected(cluster)
        const end = member instanceof ApiFailure ? Result.fail(member) : yield* Effect.result(unjoinMember(member))
        if (Result.isFailure(end) && this.#leftMs(cluster) < this.#times.leaveMs)
          return { requeueAfterMs: LEAVE_AGAIN_MS }
        yield* forgetToken(host, secretTarget(cluster))
      }
      members.drop(name)
      const finalizers = finalizersWith(cluster, [], [federationFinalizers.cluster])
      yield* patchRead(host, target(name), cluster, { metadata: { finalizers } })
      return undefined
    })
  }

  /** How long the cluster has been leaving. */
  #leftMs({ metadata }: KubeObject): number {
    return this.#now() - (parseRfc3339(metadata.deletionTimestamp ?? "") ?? 0)
  }
}

/** Whether everything that we brought to a member is to go with it. */
export const cascades = ({ metadata }: KubeObject): boolean =>
  metadata.annotations?.[federationAnnotations.cascadingDelete] !== undefined

const probed = (member: Member): Effect.Effect<Probe> =>
  Effect.callback<Probe>((resume) =>
    member.connection.probe((answer) => {
      if (!(answer instanceof ApiFailure)) return resume(Effect.succeed("ready"))
      resume(Effect.succeed(answer.code === 503 || answer.code === 504 ? "offline" : "not-ready"))
    })
  )

const roomOf = (
  { connection, effects }: Member,
  excluded: ReadonlyArray<LabelSelector> = []
): Effect.Effect<JsonObject, ApiFailure> => {
  const { room } = connection
  if (room === undefined) return clusterRoom(effects, excluded)
  return Effect.callback<JsonObject, ApiFailure>((resume) =>
    room((answer) => resume(answer instanceof ApiFailure ? Effect.fail(answer) : Effect.succeed(answer)))
  )
}

const typesOf = (member: Member): Effect.Effect<ReadonlyArray<JsonObject> | ApiFailure> =>
  Effect.callback<ReadonlyArray<JsonObject> | ApiFailure>((resume) =>
    member.connection.types((answer) =>
      resume(Effect.succeed(answer instanceof ApiFailure ? answer : answer.map((type): JsonObject => ({ ...type }))))
    )
  )

/** Whether a change of a FederatedCluster asks for a look: its own status does not. */
const matters = (before: KubeObject, after: KubeObject): boolean =>
  before.metadata.generation !== after.metadata.generation ||
  before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp ||
  !sameJson(before.metadata.finalizers, after.metadata.finalizers) ||
  !sameJson(before.metadata.annotations, after.metadata.annotations)

/** The controller, waiting to be started. */
export const makeClusterController = (options: ClusterControllerOptions): Controller => {
  const loop = new ClusterLoop(options)
  return makeController({
    name: "clusters",
    clockwork: options.clockwork,
    runtime: options.runtime,
    watches: [{ informer: options.clusters, keys: objectKey, changed: matters }],
    workers: options.workers ?? WORKERS,
    limits: { baseMs: 500, maxMs: 30_000, perSecond: Infinity, burst: 0 },
    ...(options.onFailure === undefined ? {} : { onFailure: options.onFailure }),
    reconcile: loop.reconcile
  })
}
