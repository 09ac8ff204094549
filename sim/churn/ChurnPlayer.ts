// Carries churn out: takes steps as their time comes and calls the API server.
// Owns the calls and their count; refuses to repeat what failed, except that a conflict is tried again with what is newer.
import { ApiFailure, type Client, type KubeObject, parseApiVersion, type Target } from "#kube"
import type { SimProcess } from "../time/SimProcess.ts"
import type { ChurnStep, ChurnTarget } from "./ChurnStep.ts"

const RETRIES_MAX = 5
const RETRY_MS = 200

export class ChurnPlayer {
  readonly stats = { steps: 0, failures: 0, retries: 0 }
  /** Called with each failure that was given up. */
  onFailure: ((step: ChurnStep, failure: ApiFailure) => void) | undefined
  private readonly process: SimProcess
  private readonly client: Client

  constructor(process: SimProcess, client: Client) {
    this.process = process
    this.client = client
  }

  /** Plays steps in their order of time; steps that are overdue follow one another without a pause. */
  play(steps: Iterable<ChurnStep>): void {
    const iterator = steps[Symbol.iterator]()
    const next = (): void => {
      for (;;) {
        const { done, value } = iterator.next()
        if (done === true) return
        const wait = value.atMs - this.process.clockwork.monotonic()
        if (wait > 0) {
          this.process.clockwork.after(wait, () => {
            this.run(value)
            next()
          })
          return
        }
        this.run(value)
      }
    }
    next()
  }

  run(step: ChurnStep, retries = RETRIES_MAX): void {
    if (retries === RETRIES_MAX) this.stats.steps++
    this.call(step, (answer) => {
      if (!(answer instanceof ApiFailure)) return
      const again = answer.code === 409 ? step.verb !== "create" : answer.code >= 500 || answer.code === 429
      if (again && retries > 0) {
        this.stats.retries++
        return void this.process.clockwork.after(RETRY_MS, () => this.run(step, retries - 1))
      }
      this.stats.failures++
      this.onFailure?.(step, answer)
    })
  }

  private call(step: ChurnStep, done: (answer: KubeObject | ApiFailure) => void): void {
    const target = targetOf(step.of)
    switch (step.verb) {
      case "create":
        // SAFETY: the API server decides whether this is an object of its kind.
        return this.client.create(
          { resource: target.resource, namespace: target.namespace },
          step.object as unknown as KubeObject,
          {},
          done
        )
      case "scale":
        return this.client.patch(target, { type: "merge", body: { spec: { replicas: step.replicas } } }, {}, done)
      case "patch":
        // SAFETY: parsed from JSON, or made by our own generators.
        return this.client.patch(target, { type: "merge", body: step.patch as never }, {}, done)
      case "delete":
        return this.client.delete(target, { propagationPolicy: "Background" }, done)
    }
  }
}

const targetOf = ({ apiVersion, name, namespace, resource }: ChurnTarget): Target => ({
  resource: { ...parseApiVersion(apiVersion), resource },
  namespace,
  name
})
