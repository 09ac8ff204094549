// What the fixed upstream says: JSON of objects, lists, reviews and watch events, made once and filled in where they differ.
// Owns these texts; which request gets which is FixedServer.ts's.
import type { FrontObjects, FrontResource } from "../FrontOperation.ts"
import { userOfToken } from "../load/FrontEndpoint.ts"
import type { RecentEvent } from "./RecentEvents.ts"

const kinds: Readonly<Record<FrontResource, string>> = { configmaps: "ConfigMap", secrets: "Secret", pods: "Pod" }

const status = `"status":{"phase":"Running","podIP":"10.1.2.3","hostIP":"192.168.0.7","conditions":[{"type":"Ready","status":"True"}]}`
const spec = `"spec":{"nodeName":"node-7","containers":[{"name":"app","image":"registry.test/app:1"}]},${status}`

/** The answers about one resource. */
export class FixedAnswers {
  readonly #kind: string
  readonly #tail: string
  readonly #items: string

  constructor({ bytes, resource }: Pick<FrontObjects, "bytes" | "resource">, listItems: number) {
    this.#kind = kinds[resource]
    const payload = "x".repeat(Math.max(0, bytes - (resource === "pods" ? 500 : 300)))
    this.#tail =
      resource === "pods"
        ? `,"annotations":{"wharf.test/payload":"${payload}"}},${spec}}`
        : `},"data":{"payload":"${payload}"}}`
    this.#items = Array.from({ length: listItems }, (_, index) => this.#object(`o-${index}`, "objects-0", 1)).join(",")
  }

  #object(name: string, namespace: string, version: number): string {
    return `{"apiVersion":"v1","kind":"${this.#kind}","metadata":{"name":"${name}","namespace":"${namespace}","uid":"6f1d4c1e-0d4b-4f7b-9a0e-1f3f5a7c9b2d","resourceVersion":"${version}","creationTimestamp":"2026-01-01T00:00:00Z"${this.#tail}`
  }

  object(name: string, namespace: string, version: number): Buffer {
    return Buffer.from(this.#object(name, namespace, version))
  }

  list(version: number): Buffer {
    return Buffer.from(
      `{"kind":"${this.#kind}List","apiVersion":"v1","metadata":{"resourceVersion":"${version}"},"items":[${this.#items}]}`
    )
  }

  /** What a watch begins with: nginx holds the answer's head back until something follows it. */
  bookmark(version: number): Buffer {
    return Buffer.from(
      `{"type":"BOOKMARK","object":{"kind":"${this.#kind}","apiVersion":"v1","metadata":{"resourceVersion":"${version}","creationTimestamp":null}}}\n`
    )
  }

  event({ name, namespace, type, version }: RecentEvent): Buffer {
    return Buffer.from(`{"type":"${type}","object":${this.#object(name, namespace, version)}}\n`)
  }
}

/** The answer to a TokenReview: tokens of ours name their user. */
export const tokenReviewed = (body: string): string => {
  const token = /"token"\s*:\s*"([^"]*)"/.exec(body)?.[1] ?? ""
  const user = userOfToken(token)
  const said =
    user === undefined
      ? `{"authenticated":false,"error":"no token of this run"}`
      : `{"authenticated":true,"user":{"username":"${user}","uid":"uid-of-${user}","groups":["wharf:load","system:authenticated"]}}`
  return `{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","metadata":{},"spec":{},"status":${said}}`
}

/** The answer to a SubjectAccessReview. */
export const accessReviewed = `{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","metadata":{},"spec":{},"status":{"allowed":true}}`

/** What /version says. */
export const fixedVersion = `{"major":"1","minor":"37","gitVersion":"v1.37.0+fixed"}`
