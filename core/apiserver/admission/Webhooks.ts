// MutatingAdmissionWebhook and ValidatingAdmissionWebhook: asks programs outside whether and how objects are let in.
// Owns the order of calls, failure policies, dry runs and second invocations; refuses matching, transport and the review's shape.
import { applyJsonPatch, ApiFailure, Failures, type Json, type KubeObject, sameJson } from "#kube"
import type { AdmissionPlugin, AdmissionRequest } from "../Access.ts"
import type { Api } from "../Api.ts"
import { randomUid } from "../registry/SystemFields.ts"
import { inVersion, readReview, rejection, type Review, reviewOf } from "./AdmissionReview.ts"
import { type ServiceResolver, serviceResolver, targetOf, type WebhookCaller } from "./WebhookCaller.ts"
import { type Hook, Hooks, type Wanted } from "./WebhookMatch.ts"

/** Evaluates a CEL expression over a request: whether it holds, or why it cannot be told. */
export type MatchCondition = (expression: string, admission: AdmissionRequest) => boolean | string

export interface WebhookOptions {
  readonly caller: WebhookCaller
  /** By default the endpoints and cluster IPs of services. */
  readonly resolve?: ServiceResolver
  /** Without one, a webhook with conditions fails, and its failure policy decides. */
  readonly condition?: MatchCondition
}

/** What became of one call: what the webhook said, that it is passed over, or why it failed. */
type Called = Review | "skipped" | ApiFailure

const failed = ({ name }: Hook, why: string): ApiFailure =>
  Failures.internal(`failed calling webhook ${JSON.stringify(name)}: ${why}`)

class WebhookClient {
  private readonly api: Api
  private readonly options: WebhookOptions
  private readonly resolve: ServiceResolver
  private readonly mutating: boolean

  constructor(api: Api, options: WebhookOptions, mutating: boolean) {
    this.api = api
    this.options = options
    this.resolve = options.resolve ?? serviceResolver(api)
    this.mutating = mutating
  }

  /** Calls a webhook; its failure policy is the caller's to apply. */
  call({ definition, hook }: Wanted, admission: AdmissionRequest, done: (called: Called) => void): void {
    const wanted = this.isWanted(hook, admission)
    if (wanted !== true) return done(wanted === false ? "skipped" : failed(hook, wanted))
    if (admission.request.options.dryRun === true && !hook.dryRun)
      return done(Failures.badRequest(`admission webhook ${JSON.stringify(hook.name)} does not support dry run`))
    const target = targetOf(hook.clientConfig, hook.timeoutSeconds, this.resolve)
    if (typeof target === "string") return done(failed(hook, `failed to call webhook: ${target}`))
    const uid = randomUid(this.api.clockwork.random)
    this.options.caller.post(target, reviewOf(admission, definition, uid), hook.timeoutSeconds * 1000, (answer) => {
      if ("unreachable" in answer)
        return done(failed(hook, `failed to call webhook: Post ${JSON.stringify(target.url)}: ${answer.unreachable}`))
      if (answer.status < 200 || answer.status > 299)
        return done(failed(hook, `failed to call webhook: the server answered with status ${answer.status}`))
      const review = readReview(answer.body, uid, this.mutating)
      if (typeof review === "string") return done(failed(hook, review))
      for (const [key, value] of Object.entries(review.annotations))
        admission.request.annotate?.(`${hook.name}/${key}`, value)
      done(review)
    })
  }

  /** Whether all conditions hold; one that does not decides before those that cannot be told. */
  private isWanted(hook: Hook, admission: AdmissionRequest): boolean | string {
    let problem: string | undefined
    for (const { expression, name } of hook.conditions) {
      const holds =
        this.options.condition?.(expression, admission) ?? "match conditions are not evaluated by this server"
      if (holds === false) return false
      if (typeof holds === "string") problem ??= `match condition ${JSON.stringify(name)}: ${holds}`
    }
    return problem ?? true
  }
}

/** A failure of the call itself may be ignored; a rejection and a refused dry run never are. */
const isIgnored = ({ ignoresFailure }: Hook, failure: ApiFailure): boolean => ignoresFailure && failure.code === 500

/** The object as a webhook wants it, in the request's own version again. */
const patched = ({ definition, hook }: Wanted, admission: AdmissionRequest, patch: Json): KubeObject | ApiFailure => {
  const object = inVersion(admission.object, admission.definition, definition)
  if (object === undefined)
    return Failures.internal(
      `admission webhook ${JSON.stringify(hook.name)} attempted to modify the object, which is not supported for this operation`
    )
  const next = applyJsonPatch(object as unknown as Json, patch)
  if (next instanceof ApiFailure) return Failures.internal(next.message)
  return inVersion(next as unknown as KubeObject, definition, admission.definition) ?? object
}

/** One pass of a request through the mutating webhooks, one after the other, those that ask for it a second time. */
class Mutation {
  private readonly client: WebhookClient
  private readonly warnings: Array<string> = []
  private readonly done: (
    answer: { readonly object: KubeObject | undefined; readonly warnings: ReadonlyArray<string> } | ApiFailure
  ) => void
  private admission: AdmissionRequest
  /** Those called that want to be called again should the object change after them. */
  private again: Array<Wanted> = []

  constructor(client: WebhookClient, admission: AdmissionRequest, done: Mutation["done"]) {
    this.client = client
    this.admission = admission
    this.done = done
  }

  run(hooks: ReadonlyArray<Wanted>): void {
    this.round(hooks, () => {
      const second = this.again
      this.again = []
      if (second.length === 0) this.finish()
      else this.round(second, () => this.finish())
    })
  }

  private finish(): void {
    this.done({ object: this.admission.object, warnings: this.warnings })
  }

  private round(hooks: ReadonlyArray<Wanted>, end: () => void): void {
    const called: Array<Wanted> = []
    const from = (at: number): void => {
      const wanted = hooks[at]
      if (wanted === undefined) return end()
      this.client.call(wanted, this.admission, (answer) => {
        const failure = this.take(wanted, answer, called)
        if (failure !== undefined) this.done(failure)
        else from(at + 1)
      })
    }
    from(0)
  }

  private take(wanted: Wanted, answer: Called, called: Array<Wanted>): ApiFailure | undefined {
    if (answer === "skipped") return undefined
    if (answer instanceof ApiFailure) return isIgnored(wanted.hook, answer) ? undefined : answer
    this.warnings.push(...answer.warnings)
    if (!answer.allowed) return rejection(wanted.hook.name, answer.result)
    if (answer.patch !== undefined) {
      const object = patched(wanted, this.admission, answer.patch)
      if (object instanceof ApiFailure) return object
      if (!sameJson(object as unknown as Json, this.admission.object as unknown as Json)) {
        this.admission = { ...this.admission, object }
        this.again.push(...called.filter((one) => one.hook.reinvoked && !this.again.includes(one)))
      }
    }
    called.push(wanted)
    return undefined
  }
}

/** MutatingAdmissionWebhook. */
export const mutatingWebhooks = (api: Api, options: WebhookOptions): AdmissionPlugin => {
  const hooks = new Hooks(api, "mutatingwebhookconfigurations")
  const client = new WebhookClient(api, options, true)
  return {
    name: "MutatingAdmissionWebhook",
    handles: () => !hooks.isEmpty,
    mutate: (admission, done) => {
      const wanting = hooks.wanting(admission)
      if (wanting.length === 0) done({ object: admission.object })
      else new Mutation(client, admission, done).run(wanting)
    }
  }
}

/** ValidatingAdmissionWebhook: all are asked at once, and the first of them in order that refuses decides. */
export const validatingWebhooks = (api: Api, options: WebhookOptions): AdmissionPlugin => {
  const hooks = new Hooks(api, "validatingwebhookconfigurations")
  const client = new WebhookClient(api, options, false)
  return {
    name: "ValidatingAdmissionWebhook",
    handles: () => !hooks.isEmpty,
    validate: (admission, done) => {
      const wanting = hooks.wanting(admission)
      if (wanting.length === 0) return done(undefined)
      const refusals: Array<ApiFailure | undefined> = []
      const warnings: Array<ReadonlyArray<string>> = []
      let left = wanting.length
      for (const [at, wanted] of wanting.entries())
        client.call(wanted, admission, (answer) => {
          if (answer instanceof ApiFailure) {
            if (!isIgnored(wanted.hook, answer)) refusals[at] = answer
          } else if (answer !== "skipped") {
            warnings[at] = answer.warnings
            if (!answer.allowed) refusals[at] = rejection(wanted.hook.name, answer.result)
          }
          if (--left === 0)
            done(
              refusals.find((refusal) => refusal !== undefined),
              warnings.flat()
            )
        })
    }
  }
}
