// Operations on objects of any kind: createAny, updateAny and churn.
// Owns how a template's object finds its resource and how fast changes follow one another; refuses anything about pods alone.
import { Clock, Effect } from "effect"
import { ApiFailure, builtInResources, type Collection, type KubeObject, parseApiVersion } from "#kube"
import type { PerfExecutor } from "./PerfExecutor.ts"
import type { Churn, CreateAny, UpdateAny } from "./PerfOperation.ts"
import { type PerfParams, PerfWorkloadInvalid } from "./PerfParams.ts"

/** Where objects of a kind are kept; a kind that is not built in cannot be made by a workload. */
const collectionOf = (object: KubeObject, namespace: string): Collection => {
  const { group, version } = parseApiVersion(object.apiVersion)
  const found = builtInResources().find(
    (one) => one.group === group && one.version === version && one.kind === object.kind && !one.resource.includes("/")
  )
  if (found === undefined)
    throw new PerfWorkloadInvalid({ message: `no resource of ${object.apiVersion} ${object.kind}` })
  return { resource: { group, version, resource: found.resource }, namespace: found.namespaced ? namespace : "" }
}

/** Makes `count` objects from a template, one after another as upstream does. */
export const createAny = Effect.fnUntraced(function* (
  executor: PerfExecutor,
  operation: CreateAny,
  params: PerfParams
) {
  const template = yield* executor.rig.templates(operation.templatePath)
  const count = params.count(operation, 1)
  const values = params.template(operation.templateParams)
  for (let index = 0; index < count; index++) {
    const object = template(index, count, values)
    yield* executor.calls.create(collectionOf(object, operation.namespace ?? ""), object, { fieldValidation: "Strict" })
  }
})

/** Replaces objects by what a template makes of their index, and their status too. */
export const updateAny = Effect.fnUntraced(function* (
  executor: PerfExecutor,
  operation: UpdateAny,
  params: PerfParams
) {
  const { namespace = "", subresources = [], templatePath, updatePerSecond = 0 } = operation
  const template = yield* executor.rig.templates(templatePath)
  const count = params.count(operation, 1)
  const clock = yield* Clock.Clock
  const begunMs = clock.currentTimeMillisUnsafe()
  for (let index = 0; index < count; index++) {
    if (updatePerSecond > 0) {
      const dueMs = begunMs + ((index + 1) * 1000) / updatePerSecond
      yield* Effect.sleep(Math.max(0, dueMs - clock.currentTimeMillisUnsafe()))
    }
    const object = template(index, count)
    const target = { ...collectionOf(object, namespace), name: object.metadata.name ?? "" }
    const part = subresources.join("/")
    yield* executor.calls.update(part === "" ? target : { ...target, subresource: part }, object)
    yield* executor.calls.update({ ...target, subresource: "status" }, object)
  }
})

const INTERVAL_MS = 500

/** Makes objects of all templates again and again beside what follows; `recreate` removes them in the next round. */
export const startChurn = Effect.fnUntraced(function* (executor: PerfExecutor, operation: Churn, namespace: string) {
  const templates = yield* Effect.forEach(operation.templatePaths, executor.rig.templates)
  const { mode, number = 0 } = operation
  const made: Array<ReadonlyArray<KubeObject>> = []
  const remove = (object: KubeObject) =>
    executor.calls.delete({ ...collectionOf(object, namespace), name: object.metadata.name ?? "" })
  const make = Effect.forEach(templates, (template, index) => {
    const object = template(index, templates.length)
    return executor.calls.create(collectionOf(object, namespace), object)
  })
  const round = Effect.fnUntraced(function* (at: number) {
    const slot = at % Math.max(1, number)
    const there = made[slot] ?? []
    if (mode === "recreate" && there.length > 0) {
      made[slot] = []
      yield* Effect.forEach(there, remove)
    } else if (mode === "recreate") made[slot] = yield* make
    else if (number === 0 || at < number) yield* make
  })
  const interval = operation.intervalMilliseconds ?? INTERVAL_MS
  let at = 0
  yield* Effect.sleep(interval).pipe(
    Effect.andThen(Effect.suspend(() => round(at++))),
    // A churned object that is refused or gone already is churn, too; upstream goes on likewise.
    Effect.catch((failure) => (failure instanceof ApiFailure ? Effect.void : Effect.fail(failure))),
    Effect.forever,
    Effect.forkScoped
  )
})
