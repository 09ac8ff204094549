// Whether somebody of a tenant may do what this server then asks for in its own name: in all of the tenant's namespaces, or in one.
// Owns asking (SubjectAccessReview) and a short memory of the former; administrators of a tenant need not be asked about, because all
// that stands under its prefix is theirs.
import { ApiFailure, type Client, type Clockwork, Failures, gvr, isJsonObject } from "#kube"
import type { TenantCall } from "../serve/TenantCall.ts"

const reviews = { resource: gvr("authorization.k8s.io", "v1", "subjectaccessreviews"), namespace: "" }
/** For how long an answer is believed, in milliseconds: who was just granted something tries again soon. */
const KNOWN_MS = { allowed: 5000, refused: 500 } as const
const KNOWN_MAX = 16_384

export class AccessChecks {
  private readonly client: Client
  private readonly clockwork: Clockwork
  private readonly known = new Map<string, { readonly allowed: boolean; readonly untilMs: number }>()

  constructor(client: Client, clockwork: Clockwork) {
    this.client = client
    this.clockwork = clockwork
  }

  /** Runs when the caller may; otherwise the request is answered. `verb` is of the whole cluster. */
  check(call: TenantCall, verb: string, allowed: () => void): void {
    if (call.caller.admin) return allowed()
    const { user } = call.caller
    const { group, resource } = call.kind.served
    const key = JSON.stringify([user.name, user.groups, verb, group, resource])
    const known = this.known.get(key)
    if (known !== undefined && this.clockwork.monotonic() < known.untilMs)
      return this.settle(call, known.allowed, allowed)
    this.ask(call, { verb }, (isAllowed) => {
      if (this.known.size >= KNOWN_MAX) this.known.clear()
      const untilMs = this.clockwork.monotonic() + (isAllowed ? KNOWN_MS.allowed : KNOWN_MS.refused)
      this.known.set(key, { allowed: isAllowed, untilMs })
      this.settle(call, isAllowed, allowed)
    })
  }

  /** The same in the one namespace of the request, as upstream would decide it at this moment. */
  checkWithin(call: TenantCall, verb: string, allowed: () => void): void {
    if (call.caller.admin) return allowed()
    const { info } = call.path
    const namespace = call.scope.names.namespaceUp(info.namespace)
    const named = info.name === "" ? {} : { name: info.name }
    this.ask(call, { verb, namespace, ...named }, (isAllowed) => this.settle(call, isAllowed, allowed))
  }

  private ask(
    call: TenantCall,
    attributes: Readonly<Record<string, string>>,
    done: (isAllowed: boolean) => void
  ): void {
    const { user } = call.caller
    const { group, resource, version } = call.kind.served
    const resourceAttributes = { ...attributes, group, version, resource }
    const review = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      metadata: {},
      spec: { user: user.name, groups: user.groups, resourceAttributes }
    }
    this.client.create(reviews, review, {}, (answer) => {
      if (call.over) return
      if (answer instanceof ApiFailure) return call.fail(answer)
      done(isJsonObject(answer.status) && answer.status["allowed"] === true)
    })
  }

  private settle(call: TenantCall, isAllowed: boolean, allowed: () => void): void {
    if (isAllowed) return allowed()
    const { group, resource } = call.kind.shape
    const { names } = call.scope
    const who = names.userDown(call.caller.user.name) ?? ""
    const { name, namespace, verb } = call.path.info
    const where =
      call.kind.served.namespaced && namespace !== ""
        ? `in the namespace ${JSON.stringify(namespace)}`
        : "at the cluster scope"
    call.fail(
      Failures.forbidden(
        { group, resource, name },
        `User ${JSON.stringify(who)} cannot ${verb} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(group)} ${where}`
      )
    )
  }
}
