// All that the victim and the platform have upstream, object by object with its version: what must be the same before and after an attack.
// Owns the looking; what controllers write by themselves (statuses) is settled before it looks.
import type { RealApiServer } from "../../kube/RealApiServer.ts"
import { ATTACKER, PLATFORM_MARK, thingsOf, VICTIM_MARK } from "./Parties.ts"

interface Listed {
  readonly kind: string
  readonly items: ReadonlyArray<{
    readonly metadata: {
      readonly name: string
      readonly namespace?: string
      readonly uid: string
      readonly generation?: number
    }
  }>
}

const more = [
  "/api/v1/namespaces",
  "/api/v1/persistentvolumes",
  "/api/v1/nodes",
  "/apis/storage.k8s.io/v1/storageclasses",
  "/apis/scheduling.k8s.io/v1/priorityclasses",
  "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
  "/apis/tenant.kubezoo.io/v1alpha1/tenants"
]

/** Each object with uid, and its content without what its status says. */
export const digestOf = async (call: RealApiServer["call"]): Promise<ReadonlyArray<string>> => {
  const paths = [...thingsOf(VICTIM_MARK).map(({ base, resource }) => `${base}/${resource}`), ...more]
  const lines: Array<string> = []
  for (const path of paths) {
    const { body, code } = await call("GET", path)
    if (code !== 200) throw new Error(`${path}: ${code} ${body}`)
    const { items, kind } = JSON.parse(body) as Listed
    for (const item of items) {
      const { metadata, status: _status, ...content } = item as typeof item & { readonly status?: unknown }
      const isTheirs = [VICTIM_MARK, PLATFORM_MARK].some((mark) => JSON.stringify(item).includes(mark))
      // What the attacker makes may name others; that it is without effect is judged elsewhere.
      const isAttackers = [metadata.namespace ?? "", metadata.name].some((name) => name.startsWith(`${ATTACKER}-`))
      if (isAttackers || (!isTheirs && !/Node|Tenant/.test(kind))) continue
      const {
        managedFields: _fields,
        resourceVersion: _version,
        ...meta
      } = metadata as typeof metadata & {
        readonly managedFields?: unknown
        readonly resourceVersion?: unknown
      }
      // A lease is renewed and a node reports; both are nobody's doing.
      lines.push(`${kind} ${JSON.stringify(meta)} ${kind === "NodeList" ? "" : JSON.stringify(content)}`)
    }
  }
  return lines.toSorted()
}
