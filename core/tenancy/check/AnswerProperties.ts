// Invariants of answers: lists in pieces, watches, Tables, errors.
// Owns envelopes; the objects in them are ObjectProperties.ts's.
import * as fc from "fast-check"
import { builtInResources, type Json, type JsonObject } from "#kube"
import type { KindShape } from "../names/TenantView.ts"
import { BodyInvalid, type RewriteStream } from "../rewrite/Contract.ts"
import type { Rewriter } from "../rewrite/Rewriter.ts"
import { cast } from "./Book.ts"
import type { Invariant } from "./Invariants.ts"
import { drafts, made } from "./Objects.ts"
import { Broken, downText, holds, parse, same, textOf, toBytes, toText } from "./View.ts"
import { upstreamWords } from "./Words.ts"

const drained = (stream: RewriteStream, body: Uint8Array, cuts: ReadonlyArray<number>): string => {
  let text = ""
  const take = (piece: Uint8Array | BodyInvalid): void => {
    if (piece instanceof BodyInvalid) throw new Broken(`a stream failed: ${piece.message}`)
    text += toText(piece)
  }
  let at = 0
  for (let turn = 0; at < body.length; turn++) {
    const next = at + 1 + (cuts[turn % cuts.length] ?? 0)
    take(stream.push(body.slice(at, next)))
    at = next
  }
  take(stream.end())
  return text
}

const cuts = fc.array(fc.nat(90), { minLength: 1, maxLength: 6 })
const listKinds = ["List", "sorted", "plain"] as const

const listOf = (form: (typeof listKinds)[number], kind: string, items: ReadonlyArray<Json>, token: string): string => {
  const metadata = { continue: token, remainingItemCount: 7, resourceVersion: "12" }
  const name = `${kind}List`
  if (form === "sorted") return JSON.stringify({ apiVersion: "v1", items, kind: name, metadata })
  return JSON.stringify({ kind: name, apiVersion: "v1", metadata, items }, null, form === "plain" ? 1 : undefined)
}

/** In pieces of any size a list is the same list; no part of upstream's cursor passes. */
const pieces = (rewriter: Rewriter) =>
  fc.property(fc.array(drafts("Pod"), { maxLength: 4 }), fc.constantFrom(...listKinds), cuts, (list, form, cuts) => {
    const objects = list.map((draft) => made(draft, upstreamWords))
    const shape = objects[0]?.shape ?? pod
    const body = toBytes(
      listOf(
        form,
        shape.kind,
        objects.map(({ object }) => object),
        "222222-start"
      )
    )
    const whole = textOf(rewriter.toTenant(shape, body, { collection: true }))
    const pieced = drained(rewriter.answerToTenant(shape, { collection: true }), body, cuts)
    same("a list in pieces", pieced, whole)
    const answer = parse(whole)
    const singles = objects.flatMap(({ object }) => {
      const one = rewriter.toTenant(shape, toBytes(object))
      return one instanceof Uint8Array ? [parse(toText(one))] : []
    })
    same("the items of a list", JSON.stringify(answer["items"]), JSON.stringify(singles))
    const metadata = answer["metadata"] as JsonObject
    holds(
      "upstream's cursor or count can be read",
      metadata["continue"] === undefined && metadata["remainingItemCount"] === undefined
    )
    holds("the list's version is lost", metadata["resourceVersion"] === "12")
    const wrapped = textOf(
      rewriter.toTenant(shape, body, { collection: true, continueToken: (token) => `own${token.length}` })
    )
    holds("the cursor is not the one that was given", wrapped.includes('"own12"') === true)
  })

const pod = builtInResources().find(({ kind }) => kind === "Pod") as KindShape
const widget: KindShape = { group: "acme.io", version: "v1", kind: "Widget", resource: "widgets", namespaced: true }
const types = fc.constantFrom("ADDED", "MODIFIED", "DELETED")

/** A watch in pieces tells the tenant's events alone, each as the object itself would be read; bookmarks and errors are translated. */
const watches = (rewriter: Rewriter) =>
  fc.property(fc.array(fc.tuple(types, drafts()), { maxLength: 3 }), cuts, (events, cuts) => {
    for (const [type, draft] of events) {
      const { object, shape } = made(draft, upstreamWords)
      const body = toBytes(`${JSON.stringify({ type, object })}\n`)
      const one = rewriter.toTenant(shape, toBytes(object))
      const expected = one instanceof Uint8Array ? `{"type":"${type}","object":${toText(one)}}\n` : ""
      same(`an event of ${shape.kind}`, drained(rewriter.watchToTenant(shape), body, cuts), expected)
    }
    const bookmark = `{"type":"BOOKMARK","object":{"kind":"Widget","apiVersion":"${cast.tenant}-acme.io/v1","metadata":{"resourceVersion":"9","creationTimestamp":null}}}\n`
    const error = `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","message":"widgets.${cast.tenant}-acme.io of 222222-x gone","code":410}}\n`
    const told = drained(rewriter.watchToTenant(widget), toBytes(bookmark + error), cuts)
    same(
      "a bookmark and an error",
      told,
      `${bookmark}${error}`.replaceAll(`${cast.tenant}-`, "").replace("222222-x", "(hidden)")
    )
  })

const clusterKinds = ["ClusterRole", "Namespace", "Pod", "Role"] as const

const columns = [
  { name: "Name", type: "string", format: "name" },
  { name: "Age", type: "string" },
  { name: "Note", type: "string" }
]

/** A Table shows what the objects show: its rows are the tenant's, its names the tenant's names. */
const tables = (rewriter: Rewriter) =>
  fc.property(
    fc.constantFrom(...clusterKinds),
    fc.array(fc.constantFrom("111111-a", "222222-b", "c"), { maxLength: 4 }),
    cuts,
    (kind, names, cuts) => {
      const shape = builtInResources().find((one) => one.kind === kind) as KindShape
      const rows = names.map((word) => {
        const metadata = shape.namespaced
          ? { name: "111111-pod", namespace: word }
          : { name: word, labels: { "kubezoo.io/tenant": word.slice(0, 6) } }
        return {
          cells: [metadata.name, "1d", `of 111111-x and 222222-y`],
          object: { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata }
        }
      })
      const table = {
        kind: "Table",
        apiVersion: "meta.k8s.io/v1",
        metadata: { resourceVersion: "1" },
        columnDefinitions: columns,
        rows
      }
      const body = toBytes(table)
      const answer = parse(drained(rewriter.answerToTenant(shape, { collection: true }), body, cuts))
      same("a Table as one answer", textOf(rewriter.toTenant(shape, body)), JSON.stringify(answer))
      const mine = names.filter((word) => word.startsWith("111111-"))
      const name = shape.namespaced ? "111111-pod" : "a"
      const metadata = shape.namespaced ? { name, namespace: "a" } : { name }
      const expected = mine.map(() => ({
        cells: [name, "1d", "of x and (hidden)"],
        object: { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata }
      }))
      same(`the rows of a Table of ${kind}`, JSON.stringify(answer["rows"]), JSON.stringify(expected))
      const events = drained(
        rewriter.watchToTenant(shape),
        toBytes(`{"type":"ADDED","object":${JSON.stringify(table)}}\n`),
        cuts
      )
      const all = names.length === mine.length
      if (all) same("a Table in a watch", events, `{"type":"ADDED","object":${JSON.stringify(answer)}}\n`)
      else same("a watch of Tables with a foreign row", events, "")
    }
  )

const betweens = ["", " ", '"', ":", "/", "(", ".", "x-", "_", "9", "A"]

/** In sentences a prefix goes where a name begins, and nowhere else; what the details name is exact. */
const errors = (rewriter: Rewriter) =>
  fc.property(
    fc.array(fc.tuple(fc.constantFrom(...betweens), fc.constantFrom("111111-d", "222222-e", "abcde--f", "plain")), {
      maxLength: 5
    }),
    (parts) => {
      let message = ""
      let expected = ""
      for (const [between, word] of parts) {
        message += ` ${between}${word}`
        const begins = !/[A-Za-z0-9_-]$/.test(between)
        expected += ` ${between}${!begins || word === "plain" ? word : word === "111111-d" ? "d" : "(hidden)"}`
      }
      const status = (text: string, name: string) =>
        JSON.stringify({
          kind: "Status",
          apiVersion: "v1",
          status: "Failure",
          message: text,
          reason: "NotFound",
          details: { name, kind: "namespaces", causes: [{ message: text }] },
          code: 404
        })
      same("a Status", downText(rewriter, pod, status(message, "111111-x-111111-y")), status(expected, "x-111111-y"))
      same("a warning", rewriter.textToTenant(message), expected)
      const podStatus = JSON.stringify({
        kind: "Status",
        apiVersion: "v1",
        details: { name: "111111-p", kind: "pods" },
        code: 404
      })
      same("the name of a pod in details", downText(rewriter, pod, podStatus), podStatus)
    }
  )

/** A token of another's is no token. */
const reviews = (rewriter: Rewriter) =>
  fc.property(
    fc.constantFrom(
      "system:serviceaccount:111111-d:x",
      "system:serviceaccount:222222-d:x",
      "222222-bob",
      "111111-bob",
      "system:admin"
    ),
    (username) => {
      const shape = builtInResources().find(({ kind }) => kind === "TokenReview") as KindShape
      const answer = parse(
        downText(
          rewriter,
          shape,
          JSON.stringify({
            status: {
              authenticated: true,
              user: { username, groups: ["system:authenticated", "system:serviceaccounts:111111-d"] }
            }
          })
        )
      )
      const own = username.includes("111111-")
      const status = answer["status"] as JsonObject
      holds(
        `the token of ${username} is ${JSON.stringify(status)}`,
        status["authenticated"] === own && (own || status["user"] === undefined)
      )
      if (own)
        holds(
          `groups of ${username}: ${JSON.stringify(status)}`,
          JSON.stringify((status["user"] as JsonObject)["groups"]) === '["system:serviceaccounts:d"]'
        )
    }
  )

const volumes = (rewriter: Rewriter) =>
  fc.property(
    fc.constantFrom("111111-d", "222222-d", "kube-system", ""),
    fc.constantFrom("pvc-0b0d7a1e-5d0e-4b52-9a61-000000000001", "111111-v", "222222-v", "v"),
    (namespace, name) => {
      const shape = builtInResources().find(({ kind }) => kind === "PersistentVolume") as KindShape
      const claimRef = namespace === "" ? {} : { claimRef: { kind: "PersistentVolumeClaim", name: "c", namespace } }
      const result = rewriter.toTenant(shape, toBytes({ metadata: { name }, spec: claimRef as JsonObject }))
      const shown = name === "111111-v" || (name.startsWith("pvc-") && namespace === "111111-d")
      holds(
        `a volume ${name} of a claim in ${namespace}: ${result instanceof Uint8Array ? toText(result) : "hidden"}`,
        result instanceof Uint8Array === shown
      )
    }
  )

/** A node is everybody's, but not what runs on it. */
const nodes = (rewriter: Rewriter) =>
  fc.property(
    fc.constantFrom("images", "volumesAttached", "volumesInUse"),
    fc.constantFrom("222222-x", "111111-x"),
    (field, name) => {
      const shape = builtInResources().find(({ kind }) => kind === "Node") as KindShape
      const status = { [field]: [{ names: [name], name }], phase: "Running" }
      same(
        "a node",
        downText(rewriter, shape, JSON.stringify({ metadata: { name: "n" }, status })),
        '{"metadata":{"name":"n"},"status":{"phase":"Running"}}'
      )
    }
  )

/** The invariants of answers. */
export const answerProperties: ReadonlyArray<Invariant> = [
  { number: 5, name: "token-reviews", says: "another's token is no token", property: reviews },
  { number: 5, name: "volumes", says: "a volume is seen by whom its claim is", property: volumes },
  { number: 5, name: "nodes", says: "a node does not tell what others run on it", property: nodes },
  { number: 5, name: "tables", says: "a Table shows the tenant's rows under the tenant's names", property: tables },
  { number: 11, name: "pieces", says: "a list in pieces is the list, and its items are the objects", property: pieces },
  {
    number: 11,
    name: "watches",
    says: "a watch tells the tenant's events as lists would, bookmarks and errors too",
    property: watches
  },
  { number: 12, name: "errors", says: "in sentences prefixes go at the beginning of names alone", property: errors }
]
