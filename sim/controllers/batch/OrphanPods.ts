// Pods that no Job will count any more and that still hold a tracking finalizer: of Jobs that are gone or over.
// Owns the queue of such pods, by name or by the selector of a Job; refuses to delete them.
import {
  type ApiFailure,
  type Controller,
  controllerOf,
  type Informer,
  type KubeObject,
  labelSelectorOf,
  type LabelSelectorObject,
  makeController,
  objectKey,
  parseLabelSelector,
  SelectorInvalid
} from "#kube"
import { Effect } from "effect"
import type { Manager } from "../Manager.ts"
import { fieldsOf } from "../Parts.ts"
import { isJobFinished, managedByOther } from "./JobFacts.ts"
import type { JobPodWork } from "./JobPodWork.ts"
import { isTracked } from "./JobPods.ts"
import { jobKind } from "./JobTemplate.ts"

const LIMITS = { baseMs: 1000, maxMs: 60_000, perSecond: Infinity, burst: 1 }

/** The Job that controls a pod; undefined when there is none of that name and uid. */
export const jobOf = (jobs: Informer, pod: KubeObject): KubeObject | undefined => {
  const owner = controllerOf(pod)
  if (owner?.kind !== jobKind.kind) return undefined
  const job = jobs.store.get(`${pod.metadata.namespace ?? ""}/${owner.name}`)
  return job?.metadata.uid === owner.uid ? job : undefined
}

/** The selector of a Job. */
export const jobSelector = ({ spec }: KubeObject): ReturnType<typeof labelSelectorOf> =>
  labelSelectorOf(fieldsOf(spec)["selector"] as unknown as LabelSelectorObject | undefined)

export class OrphanPods {
  readonly controller: Controller
  readonly #jobs: Informer
  readonly #pods: Informer
  readonly #work: JobPodWork

  constructor(
    manager: Manager,
    parts: { readonly jobs: Informer; readonly pods: Informer; readonly work: JobPodWork }
  ) {
    this.#jobs = parts.jobs
    this.#pods = parts.pods
    this.#work = parts.work
    const name = "job-orphan-pods"
    this.controller = makeController({
      name,
      clockwork: manager.clockwork,
      watches: [parts.jobs, parts.pods].map((informer) => ({ informer, keys: () => undefined })),
      workers: manager.syncs("job-controller"),
      limits: LIMITS,
      onFailure: (key, failure) => manager.failed(name, key, failure),
      reconcile: (key) => this.#sync(key)
    })
  }

  pod(pod: KubeObject): void {
    this.controller.enqueue(`pod ${objectKey(pod)}`)
  }

  /** All pods that a Job's selector takes. */
  podsOf(job: KubeObject): void {
    const selector = jobSelector(job)
    if (selector instanceof SelectorInvalid) return
    this.controller.enqueue(`selector ${job.metadata.namespace ?? ""} ${selector.toString()}`)
  }

  #sync(key: string): Effect.Effect<void, ApiFailure> {
    const found = this.#podsOf(key).filter((pod) => isTracked(pod) && this.#isOrphan(pod))
    return Effect.forEach(found, (pod) => this.#free(pod), { discard: true })
  }

  #free(pod: KubeObject): Effect.Effect<void, ApiFailure> {
    return Effect.callback<void, ApiFailure>((resume) =>
      this.#work.free(pod, (failure) => resume(failure === undefined ? Effect.void : Effect.fail(failure)))
    )
  }

  #podsOf(key: string): ReadonlyArray<KubeObject> {
    const [kind, of = "", ...rest] = key.split(" ")
    if (kind === "pod") {
      const pod = this.#pods.store.get(of)
      return pod === undefined ? [] : [pod]
    }
    const selector = parseLabelSelector(rest.join(" "))
    if (selector instanceof SelectorInvalid) return []
    return this.#pods.store.inNamespace(of).filter(({ metadata }) => selector.matches(metadata.labels ?? {}))
  }

  #isOrphan(pod: KubeObject): boolean {
    const owner = controllerOf(pod)
    if (owner === undefined) return true
    if (owner.kind !== jobKind.kind || owner.apiVersion !== jobKind.apiVersion) return false
    const job = jobOf(this.#jobs, pod)
    return job === undefined || (managedByOther(job) === undefined && isJobFinished(job))
  }
}
