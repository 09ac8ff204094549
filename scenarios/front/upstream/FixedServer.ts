// The fixed upstream in a process of its own: speaks as much of the Kubernetes API as a front and its clients ask for, with fixed
// answers, as fast as core/net allows. A write moves the one resourceVersion and reaches the watchers of its collection, also those
// that come back from an earlier version. It counts connections and requests, which is what the upstream's side of a front is judged
// by. Keeps no objects.
// Bound: a watcher that does not read for 16 MiB is cut off.
import { type HttpBody, type HttpExchange, type HttpFields, listen } from "#net"
import { Effect } from "effect"
import type { FrontObjects, FrontResource } from "../FrontOperation.ts"
import { expired, RecentEvents } from "./RecentEvents.ts"
import { accessReviewed, FixedAnswers, fixedVersion, tokenReviewed } from "./FixedAnswers.ts"

/** What the process is told when it begins. */
export interface FixedSettings {
  readonly port: number
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string }
  readonly objects: ReadonlyArray<Pick<FrontObjects, "bytes" | "resource">>
  readonly listItems: number
  readonly delayMs: number
}

/** What it counted since it began; health checks are not requests. */
export interface FixedCounts {
  readonly requests: number
  /** TokenReviews and SubjectAccessReviews, which are the front's own. */
  readonly reviews: number
  readonly connections: number
  readonly watches: number
}

/** To the process. */
export type FixedCommand =
  | { readonly type: "open"; readonly settings: FixedSettings }
  /** The number comes back with the answer, since several may ask at once. */
  | { readonly type: "count"; readonly number: number }

/** From the process. */
export type FixedReport =
  | { readonly type: "open"; readonly port: number }
  | { readonly type: "failed"; readonly reason: string }
  | { readonly type: "counts"; readonly number: number; readonly counts: FixedCounts }

const json: HttpFields = [["content-type", "application/json"]]
const text: HttpFields = [["content-type", "text/plain"]]
const bodyBytesMax = 4 * 1024 * 1024
const unreadBytesMax = 16 * 1024 * 1024
const written: Readonly<Record<string, string>> = {
  POST: "ADDED",
  PUT: "MODIFIED",
  PATCH: "MODIFIED",
  DELETE: "DELETED"
}
const pathPattern = /^\/api\/v1(?:\/namespaces\/([^/?]+))?\/(configmaps|secrets|pods)(?:\/([^/?]+))?(?:\?(.*))?$/

interface Watcher {
  readonly namespace: string | undefined
  readonly body: HttpBody
}

/** The server's state. */
class FixedUpstream {
  requests = 0
  reviews = 0
  readonly #answers: ReadonlyMap<string, FixedAnswers>
  readonly #watchers = new Map<string, Set<Watcher>>()
  readonly #recent = new Map<string, RecentEvents>()
  readonly #delayMs: number
  #version = 1000

  constructor({ delayMs, listItems, objects }: FixedSettings) {
    const resources: ReadonlyArray<FrontResource> = ["configmaps", "secrets", "pods"]
    this.#delayMs = delayMs
    this.#answers = new Map(
      resources.map((resource) => {
        const bytes = objects.find((one) => one.resource === resource)?.bytes ?? 1024
        return [resource, new FixedAnswers({ resource, bytes }, listItems)]
      })
    )
  }

  get watches(): number {
    return [...this.#watchers.values()].reduce((sum, { size }) => sum + size, 0)
  }

  readonly handle = (exchange: HttpExchange): void => {
    const found = pathPattern.exec(exchange.path)
    if (found === null) return this.#other(exchange)
    this.requests++
    if (this.#delayMs === 0) return this.#resource(exchange, found)
    setTimeout(() => this.#resource(exchange, found), this.#delayMs)
  }

  #resource(exchange: HttpExchange, [, namespace, resource = "", name, query = ""]: RegExpExecArray): void {
    const answers = this.#answers.get(resource)
    if (answers === undefined) return exchange.respond(404, json, "{}")
    const { method } = exchange
    if (method !== "GET") return this.#write(exchange, answers, { resource, namespace: namespace ?? "default", name })
    if (name !== undefined) return exchange.respond(200, json, answers.object(name, namespace ?? "default", 1000))
    if (/(?:^|&)watch=(?:1|true)(?:&|$)/.test(query)) {
      const from = Number(/(?:^|&)resourceVersion=(\d+)/.exec(query)?.[1] ?? 0)
      return this.#watch(exchange, answers, { resource, namespace, from })
    }
    exchange.respond(200, json, answers.list(this.#version))
  }

  #write(
    exchange: HttpExchange,
    answers: FixedAnswers,
    { name, namespace, resource }: { resource: string; namespace: string; name: string | undefined }
  ): void {
    exchange.readBody(bodyBytesMax, (body) => {
      if (body === undefined) return exchange.respond(413, json, "{}")
      const named = name ?? /"name":"([^"]+)"/.exec(Buffer.from(body).toString("latin1"))?.[1] ?? "unnamed"
      const version = ++this.#version
      exchange.respond(exchange.method === "POST" ? 201 : 200, json, answers.object(named, namespace, version))
      const change = { type: written[exchange.method] ?? "MODIFIED", name: named, namespace, version }
      this.#recentOf(resource).add(change)
      const watchers = this.#watchers.get(resource)
      if (watchers === undefined || watchers.size === 0) return
      const event = answers.event(change)
      for (const watcher of watchers) {
        if (watcher.namespace !== undefined && watcher.namespace !== namespace) continue
        if (!watcher.body.write(event) && watcher.body.bufferedBytes > unreadBytesMax) {
          watchers.delete(watcher)
          watcher.body.abort()
        }
      }
    })
  }

  #recentOf(resource: string): RecentEvents {
    const recent = this.#recent.get(resource) ?? new RecentEvents()
    this.#recent.set(resource, recent)
    return recent
  }

  #watch(
    exchange: HttpExchange,
    answers: FixedAnswers,
    { from, namespace, resource }: { resource: string; namespace: string | undefined; from: number }
  ): void {
    const watcher = { namespace, body: exchange.start(200, json) }
    // Without a version a watch begins now: there are no objects to begin with.
    const missed = from === 0 ? [] : this.#recentOf(resource).after(from, namespace)
    if (missed === undefined) {
      watcher.body.write(expired(from))
      return watcher.body.end()
    }
    for (const change of missed) watcher.body.write(answers.event(change))
    watcher.body.write(answers.bookmark(this.#version))
    const watchers = this.#watchers.get(resource) ?? new Set()
    this.#watchers.set(resource, watchers.add(watcher))
    exchange.onClose = () => void watchers.delete(watcher)
  }

  #other(exchange: HttpExchange): void {
    const { path } = exchange
    if (path.startsWith("/readyz") || path.startsWith("/livez") || path.startsWith("/healthz"))
      return exchange.respond(200, text, "ok")
    if (path.startsWith("/version")) return exchange.respond(200, json, fixedVersion)
    if (path.endsWith("/tokenreviews")) return this.#review(exchange, tokenReviewed)
    if (path.endsWith("accessreviews")) return this.#review(exchange, () => accessReviewed)
    this.requests++
    exchange.respond(404, json, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
  }

  #review(exchange: HttpExchange, answer: (body: string) => string): void {
    this.reviews++
    exchange.readBody(bodyBytesMax, (body) =>
      exchange.respond(201, json, answer(Buffer.from(body ?? []).toString("utf8")))
    )
  }
}

const say = (report: FixedReport): void => void process.send?.(report)

const serve = (settings: FixedSettings) =>
  Effect.gen(function* () {
    const upstream = new FixedUpstream(settings)
    const { connections, port } = yield* listen({
      host: "127.0.0.1",
      port: settings.port,
      methods: [],
      exchange: upstream.handle,
      tls: { ...settings.tls, clientAuth: "optional" }
    })
    process.on("message", (command: FixedCommand) => {
      if (command.type !== "count") return
      const { requests, reviews, watches } = upstream
      say({
        type: "counts",
        number: command.number,
        counts: { requests, reviews, watches, connections: connections() }
      })
    })
    say({ type: "open", port })
    return yield* Effect.never
  }).pipe(Effect.catch(({ message }) => Effect.sync(() => say({ type: "failed", reason: message }))))

process.once("message", (command: FixedCommand) => {
  if (command.type === "open") Effect.runFork(Effect.scoped(serve(command.settings)))
})
process.on("disconnect", () => process.exit(0))
process.on("SIGINT", () => {})
