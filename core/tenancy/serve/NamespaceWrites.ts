// A tenant's new namespace: made upstream, and the tenant's rights in it, before the tenant hears that it is there.
// Owns that order; the controller mends what a crash in between leaves.
import { ApiFailure } from "#kube"
import { answerWhole } from "./Answers.ts"
import { forward, type Forwarding } from "./Forward.ts"
import type { TenantCall } from "./TenantCall.ts"

const decoder = new TextDecoder()

const nameOf = (body: Uint8Array): string => {
  try {
    const { metadata } = JSON.parse(decoder.decode(body)) as { metadata?: { name?: unknown } }
    return typeof metadata?.name === "string" ? metadata.name : ""
  } catch {
    return ""
  }
}

export const createNamespace = (forwarding: Forwarding, call: TenantCall): void =>
  forward(forwarding, call, (answer) => {
    const isDry = call.query.get("dryRun") !== ""
    if (answer instanceof ApiFailure || answer.code !== 201 || isDry) return answerWhole(call, answer)
    const name = nameOf(answer.body)
    const { names, tenant } = call.scope
    if (!name.startsWith(names.prefix)) return answerWhole(call, answer)
    const wanting = { namespace: name, requested: new Map() }
    forwarding.grants.open(tenant, name, () => forwarding.quotas.want(tenant, wanting, () => answerWhole(call, answer)))
  })
