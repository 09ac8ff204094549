// Two tenants and a platform for the tests: views, and shorthands for translating JSON.
import { builtInResources } from "#kube"
import { BodyInvalid, type KindShape, Refused, Rewriter, type TenantView, WholeNeeded } from "#tenancy"

/** A view in which the platform shares a class of each sort and one group. */
export const viewOf = (tenant: string, others: ReadonlyArray<string> = ["222222", "abcde-", "pods-a"]): TenantView => ({
  tenant,
  published: (_resource, name) => name === "published" || name.startsWith("system-"),
  sharedGroup: (group) => group === "gateway.networking.k8s.io",
  isTenant: (id) => id === tenant || others.includes(id),
  custom: (group, word) =>
    group === "acme.io" && (word === "Widget" || word === "widgets")
      ? { resource: "widgets", namespaced: true }
      : group === "acme.io" && (word === "Planet" || word === "planets")
        ? { resource: "planets", namespaced: false }
        : undefined
})

export const rewriter = new Rewriter(viewOf("111111"))

/** A built-in shape by its kind. */
export const shapeOf = (kind: string, group?: string): KindShape => {
  const found = builtInResources().find((one) => one.kind === kind && (group === undefined || one.group === group))
  if (found === undefined) throw new Error(`no kind ${kind}`)
  return found
}

export const widget: KindShape = {
  group: "acme.io",
  version: "v1",
  kind: "Widget",
  resource: "widgets",
  namespaced: true
}
export const planet: KindShape = {
  group: "acme.io",
  version: "v1",
  kind: "Planet",
  resource: "planets",
  namespaced: false
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const bytes = (value: unknown): Uint8Array =>
  encoder.encode(typeof value === "string" ? value : JSON.stringify(value))

export const text = (bytes: Uint8Array): string => decoder.decode(bytes)

const parsed = (result: unknown): unknown => {
  if (
    result instanceof Refused ||
    result instanceof BodyInvalid ||
    result instanceof WholeNeeded ||
    result === undefined
  )
    return result
  return JSON.parse(text(result as Uint8Array))
}

export const up = (shape: KindShape, object: unknown): unknown => parsed(rewriter.toUpstream(shape, bytes(object)))
export const down = (shape: KindShape, object: unknown): unknown => parsed(rewriter.toTenant(shape, bytes(object)))
