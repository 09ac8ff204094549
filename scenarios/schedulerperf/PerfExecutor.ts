// Runs one workload of scheduler_perf: its operations one after another, churn and slow deletions beside them.
// Owns their meaning, namespaces and what is collected when; refuses to know the scheduler, which works on the same API server.
// Source: kubernetes test/integration/scheduler_perf, executor.go at 1.37.
import { Effect, Scope } from "effect"
import { ApiFailure, type Client, effectClient, type EffectClient, type KubeObject } from "#kube"
import type { DataItem } from "./DataItems.ts"
import { inNumber, createNodes, createPods, podsIn, signedPods } from "./PerfObjects.ts"
import type { Barrier, CreateNodes, CreatePods, DeletePods, PerfOperation } from "./PerfOperation.ts"
import type { PerfCase, PerfWorkload } from "./PerfConfig.ts"
import { PerfParams, podsPlan, type PodsPlan, PerfWorkloadInvalid } from "./PerfParams.ts"
import { createAny, startChurn, updateAny } from "./PerfChange.ts"
import { baseNode, basePod, type ObjectTemplate, type TemplateReader } from "./PerfTemplates.ts"
import { hasLabels, isAttempted, isScheduled, type PodProgress, waitUntil } from "./PodProgress.ts"
import { collectThroughput, type ThroughputCollection } from "./ThroughputCollector.ts"

/** Begins and ends what a measured stretch collects beside throughput. */
export interface PerfProbe {
  readonly reset: () => void
  /** Items without the workload's name. */
  readonly collect: () => ReadonlyArray<DataItem>
}

export interface PerfRig {
  readonly client: Client
  readonly progress: PodProgress
  readonly templates: TemplateReader
  readonly random: () => number
  readonly probes: ReadonlyArray<PerfProbe>
  /** How long pods may take to be placed, in milliseconds, before a workload is given up. */
  readonly timeoutMs: number
}

/** Everything that one workload's operations share. */
export class PerfExecutor {
  readonly client: Client
  readonly calls: EffectClient
  readonly rig: PerfRig
  readonly items: Array<DataItem> = []
  private readonly perfCase: PerfCase
  private readonly name: string
  private readonly params: PerfParams
  /** Pods that operations did not wait for, by namespace: what barriers count. */
  private readonly owed = new Map<string, number>()
  private collection: { readonly name: string; readonly throughput: ThroughputCollection } | undefined

  constructor(rig: PerfRig, perfCase: PerfCase, workload: PerfWorkload) {
    this.rig = rig
    this.client = rig.client
    this.calls = effectClient(rig.client)
    this.perfCase = perfCase
    this.name = `${perfCase.name}/${workload.name}`
    this.params = new PerfParams(this.name, workload.params ?? {})
  }

  /** Runs all operations; what runs beside them ends with the scope. */
  readonly run = Effect.fnUntraced(function* (this: PerfExecutor) {
    for (const [index, operation] of this.perfCase.workloadTemplate.entries()) yield* this.operation(operation, index)
    const [unused] = this.params.unused
    if (unused !== undefined) return yield* this.invalid(`parameter ${unused} is used by no operation`)
    return this.items
  })

  private invalid(rule: string): PerfWorkloadInvalid {
    return new PerfWorkloadInvalid({ message: `workload ${this.name}: ${rule}` })
  }

  private operation(
    operation: PerfOperation,
    index: number
  ): Effect.Effect<void, ApiFailure | PerfWorkloadInvalid | Effect.Error<ReturnType<TemplateReader>>, Scope.Scope> {
    switch (operation.opcode) {
      case "createNodes":
        return this.createNodes(operation, index)
      case "createNamespaces":
        return this.createNamespaces(operation.prefix, this.params.count(operation), operation.namespaceTemplatePath)
      case "createPods":
        return this.createPods(operation, operation.namespace ?? `namespace-${index}`)
      case "createPodSets":
        return Effect.forEach(
          Array.from({ length: this.params.count(operation) }, (_, at) => `${operation.namespacePrefix}-${at}`),
          (namespace) => this.createPods(operation.createPodsOp, namespace),
          { discard: true }
        )
      case "deletePods":
        return this.deletePods(operation)
      case "churn":
        return this.ensureNamespace(operation.namespace ?? `namespace-${index}`).pipe(
          Effect.andThen(startChurn(this, operation, operation.namespace ?? `namespace-${index}`))
        )
      case "barrier":
        return this.barrier(operation)
      case "sleep":
        return Effect.sleep(this.params.durationMs(operation))
      case "createAny":
        return this.inNamespace(operation.namespace, createAny(this, operation, this.params))
      case "updateAny":
        return this.inNamespace(operation.namespace, updateAny(this, operation, this.params))
      case "startCollectingMetrics":
        return this.startCollecting(operation.name ?? "", operation.namespaces, operation.labelSelector ?? {})
      case "stopCollectingMetrics":
        return this.stopCollecting()
      case "createPodGroups":
      case "allocResourceClaims":
        return this.invalid(`${operation.opcode} cannot be run here`)
    }
  }

  private inNamespace<A, E, R>(namespace: string | undefined, effect: Effect.Effect<A, E, R>) {
    return namespace === undefined ? effect : this.ensureNamespace(namespace).pipe(Effect.andThen(effect))
  }

  private ensureNamespace(name: string): Effect.Effect<void, ApiFailure> {
    if (!this.owed.has(name)) this.owed.set(name, 0)
    const namespace: KubeObject = { apiVersion: "v1", kind: "Namespace", metadata: { name } }
    return this.calls.create({ resource: NAMESPACES, namespace: "" }, namespace).pipe(
      Effect.catch((failure) => (failure.reason === "AlreadyExists" ? Effect.void : Effect.fail(failure))),
      Effect.asVoid
    )
  }

  private readonly createNodes = Effect.fnUntraced(function* (
    this: PerfExecutor,
    operation: CreateNodes,
    index: number
  ) {
    const count = this.params.count(operation)
    const params = this.params.template(operation.templateParams)
    const template =
      operation.nodeTemplatePath === undefined
        ? baseNode(`node-${index}-`)
        : yield* this.rig.templates(operation.nodeTemplatePath)
    yield* createNodes(this.client, count, (at) => template(at, count, params), operation, this.rig.random)
  })

  private readonly createNamespaces = Effect.fnUntraced(function* (
    this: PerfExecutor,
    prefix: string,
    count: number,
    path: string | undefined
  ) {
    const template: ObjectTemplate =
      path === undefined
        ? () => ({ apiVersion: "v1", kind: "Namespace", metadata: {} })
        : yield* this.rig.templates(path)
    yield* inNumber(count, (at, done) => {
      const made = template(at, count)
      const name = `${prefix}-${at}`
      this.owed.set(name, 0)
      this.client.create(
        { resource: NAMESPACES, namespace: "" },
        { ...made, metadata: { ...made.metadata, name } },
        {},
        done
      )
    })
  })

  private readonly createPods = Effect.fnUntraced(function* (
    this: PerfExecutor,
    operation: CreatePods,
    namespace: string
  ) {
    const plan = podsPlan(operation, this.params)
    const path = operation.podTemplatePath ?? this.perfCase.defaultPodTemplatePath
    const template = path === undefined ? basePod : yield* this.rig.templates(path)
    const { persistentVolumeClaimTemplatePath: claimPath, persistentVolumeTemplatePath: volumePath } = operation
    const pair =
      claimPath === undefined || volumePath === undefined
        ? undefined
        : {
            claim: (yield* this.rig.templates(claimPath))(0, 1),
            volume: (yield* this.rig.templates(volumePath))(0, 1)
          }
    yield* this.ensureNamespace(namespace)
    if (operation.collectMetrics === true) yield* this.startCollecting(namespace, [namespace], {})
    const before = this.rig.progress.scheduled(namespace)
    const make = signedPods(template, plan.count, plan.template, plan.signatureBatchSize)
    if (plan.steadyState) yield* this.keepSteady(namespace, plan, make)
    else yield* createPods(this.client, namespace, plan.count, make, pair)
    if (operation.skipWaitToCompletion === true) this.owed.set(namespace, (this.owed.get(namespace) ?? 0) + plan.count)
    else if (!plan.steadyState) {
      yield* this.waitFor(
        `${plan.count} pods of ${namespace} to be placed`,
        () => this.rig.progress.scheduled(namespace) >= before + plan.count
      )
    }
    if (operation.collectMetrics === true) yield* this.stopCollecting()
  })

  /** Deletes each pod as soon as it is placed and makes another, for a while. */
  private readonly keepSteady = Effect.fnUntraced(function* (
    this: PerfExecutor,
    namespace: string,
    { count, durationMs }: PodsPlan,
    make: (index: number) => KubeObject
  ) {
    let made = count
    let live = true
    const replace = (pod: KubeObject): void => {
      if (!live || pod.metadata.namespace !== namespace) return
      const target = { ...podsIn(namespace), name: pod.metadata.name ?? "" }
      this.client.delete(target, { gracePeriodSeconds: 0, propagationPolicy: "Background" }, () => {
        if (live) this.client.create(podsIn(namespace), make(made++), {}, () => undefined)
      })
    }
    this.rig.progress.onScheduled.add(replace)
    yield* createPods(this.client, namespace, count, make)
    yield* Effect.sleep(durationMs)
    live = false
    this.rig.progress.onScheduled.delete(replace)
  })

  private readonly deletePods = Effect.fnUntraced(function* (this: PerfExecutor, operation: DeletePods) {
    const { deletePodsPerSecond = 0, labelSelector = {}, namespace } = operation
    const doomed = [...this.rig.progress.pods(namespace)].filter((pod) => hasLabels(pod, labelSelector))
    const deleteOne = (pod: KubeObject) =>
      this.calls
        .delete({ ...podsIn(namespace), name: pod.metadata.name ?? "" })
        .pipe(Effect.catch((failure) => (failure.code === 404 ? Effect.void : Effect.fail(failure))))
    const selector = Object.entries(labelSelector).map(([name, value]) => `${name}=${value}`)
    const work =
      deletePodsPerSecond === 0
        ? this.calls.deleteCollection(podsIn(namespace), {}, { labelSelector: selector.join(",") })
        : Effect.forEach(doomed, (pod) => Effect.sleep(1000 / deletePodsPerSecond).pipe(Effect.andThen(deleteOne(pod))))
    if (operation.skipWaitToCompletion === true) yield* Effect.forkScoped(work)
    else yield* work
  })

  private readonly barrier = Effect.fnUntraced(function* (this: PerfExecutor, operation: Barrier) {
    const { labelSelector, stageRequirement } = operation
    const namespaces = operation.namespaces ?? [...this.owed.keys()]
    for (const namespace of namespaces) {
      if (!this.owed.has(namespace)) return yield* this.invalid(`barrier: unknown namespace ${namespace}`)
    }
    const reached =
      stageRequirement === "Attempted" ? (pod: KubeObject) => isScheduled(pod) || isAttempted(pod) : isScheduled
    const { progress } = this.rig
    const isDone = (namespace: string): boolean => {
      if (labelSelector !== undefined) {
        return progress.count(namespace, (pod) => hasLabels(pod, labelSelector) && !reached(pod)) === 0
      }
      return progress.count(namespace, reached) >= (this.owed.get(namespace) ?? 0)
    }
    yield* this.waitFor(`the barrier over ${namespaces.join(", ")}`, () => namespaces.every(isDone))
    if (stageRequirement !== "Attempted") for (const namespace of namespaces) this.owed.set(namespace, 0)
  })

  private waitFor(what: string, isDone: () => boolean): Effect.Effect<void, PerfWorkloadInvalid> {
    return waitUntil(isDone).pipe(
      Effect.timeoutOrElse({
        duration: this.rig.timeoutMs,
        orElse: () => Effect.fail(this.invalid(`waited ${this.rig.timeoutMs / 1000} s for ${what}`))
      })
    )
  }

  private readonly startCollecting = Effect.fnUntraced(function* (
    this: PerfExecutor,
    name: string,
    namespaces: ReadonlyArray<string>,
    labels: Readonly<Record<string, string>>
  ) {
    if (this.collection !== undefined) return yield* this.invalid("two collections of metrics overlap")
    for (const probe of this.rig.probes) probe.reset()
    const full = name === "" ? this.name : `${this.name}/${name}`
    const throughput = yield* collectThroughput({ progress: this.rig.progress, name: full, namespaces, labels })
    this.collection = { name: full, throughput }
  })

  private readonly stopCollecting = Effect.fnUntraced(function* (this: PerfExecutor) {
    const { collection } = this
    if (collection === undefined) return yield* this.invalid("stopCollectingMetrics without a start")
    this.collection = undefined
    this.items.push(...(yield* collection.throughput.stop))
    for (const probe of this.rig.probes) {
      for (const item of probe.collect()) {
        this.items.push({ ...item, labels: { Name: collection.name, ...item.labels } })
      }
    }
  })
}

const NAMESPACES = { group: "", version: "v1", resource: "namespaces" }
