// The fleet as an autoscaler sees it: one cluster. Pods and their metrics are those of all members, everything else is the host's.
// Owns this view as a Client, so that any HPA controller works over it unchanged; refuses writes to members, which the host's
// workloads reach by being scheduled. Metrics of a lost member's pods are missing, its pods are not: the controller's own rules for
// pods without metrics then keep it from scaling down on doubt.
import { Effect, Exit } from "effect"
import {
  type ApiFailure,
  type Cancel,
  type Client,
  type ClockworkRuntime,
  type Collection,
  Failures,
  type KubeList,
  type KubeObject,
  objectKey,
  SelectorInvalid
} from "#kube"
import { federationLabels } from "../api/FederationNames.ts"
import { FleetMetrics, type FleetMetricsOptions, isMetrics } from "./FleetMetrics.ts"
import type { FleetPods } from "./FleetPods.ts"

export interface FleetClientOptions extends FleetMetricsOptions {
  readonly pods: FleetPods
  readonly runtime: ClockworkRuntime
}

const isPods = ({ resource }: Collection): boolean => resource.group === "" && resource.resource === "pods"

const isAutoscalers = ({ resource }: Collection): boolean =>
  resource.group === "autoscaling" && resource.resource === "horizontalpodautoscalers"

const joined = (...texts: ReadonlyArray<string | undefined>): string =>
  texts.filter((text) => text !== undefined && text !== "").join(",")

const centralized = <A extends { readonly labelSelector?: string }>(options: A): A => ({
  ...options,
  labelSelector: joined(options.labelSelector, `${federationLabels.centralizedHpaEnabled}=true`)
})

/** The view. Give it to an HPA controller as its Client. */
export const fleetClient = (options: FleetClientOptions): Client => {
  const { host, pods, runtime } = options
  const metrics = new FleetMetrics(options)
  const refuse = (done: (answer: ApiFailure) => void): void =>
    void runtime.run(Effect.void, () =>
      done(Failures.generic(405, "MethodNotAllowed", "pods of the fleet are changed in their own clusters"))
    )
  return {
    ...host,
    get: (target, how, done) => {
      if (!isPods(target)) return host.get(target, how, done)
      const found = pods.get(`${target.namespace}/${target.name}`)
      const answer = found ?? Failures.notFound({ group: "", resource: "pods", name: target.name })
      runtime.run(Effect.void, () => done(answer))
    },
    list: (collection, how, done) => {
      if (isAutoscalers(collection)) return host.list(collection, centralized(how), done)
      if (isMetrics(collection)) {
        runtime.run(metrics.list(collection, how), (exit) => done(answerOf(exit)))
        return
      }
      if (!isPods(collection)) return host.list(collection, how, done)
      const found = pods.list(collection.namespace, how.labelSelector)
      const answer = found instanceof SelectorInvalid ? Failures.badRequest(found.message) : found
      runtime.run(Effect.void, () => done(answer))
    },
    watch: (collection, how, listener): Cancel => {
      if (isPods(collection)) return pods.watch(collection.namespace, how, listener)
      return host.watch(collection, isAutoscalers(collection) ? centralized(how) : how, listener)
    },
    create: (target, object, how, done) => (isPods(target) ? refuse(done) : host.create(target, object, how, done)),
    update: (target, object, how, done) => (isPods(target) ? refuse(done) : host.update(target, object, how, done)),
    patch: (target, patch, how, done) => (isPods(target) ? refuse(done) : host.patch(target, patch, how, done)),
    delete: (target, how, done) => (isPods(target) ? refuse(done) : host.delete(target, how, done)),
    deleteCollection: (collection, how, selection, done) =>
      isPods(collection) ? refuse(done) : host.deleteCollection(collection, how, selection, done)
  }
}

const answerOf = (exit: Exit.Exit<KubeList, ApiFailure>): KubeList | ApiFailure => {
  if (Exit.isSuccess(exit)) return exit.value
  const [reason] = exit.cause.reasons
  return reason?._tag === "Fail" ? reason.error : Failures.internal("asking members for metrics was interrupted")
}

/** The namespaces in which centralized autoscalers stand: those whose pods are followed. */
export const scaledNamespaces = (autoscalers: ReadonlyArray<KubeObject>): ReadonlyArray<string> =>
  [
    ...new Set(
      autoscalers
        .filter(({ metadata }) => metadata.labels?.[federationLabels.centralizedHpaEnabled] === "true")
        .map((autoscaler) => objectKey(autoscaler).split("/")[0] ?? "")
    )
  ].sort()
