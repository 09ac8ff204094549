// The Client over HTTP, as JSON: to any API server that a kubeconfig names.
// Owns sending, waiting, retrying what may be retried and reading answers; connections are the pool's, credentials their
// adapter's. Everything that goes wrong is an ApiFailure; a connection that fails is one of code 503.
import { Effect, type Scope } from "effect"
import type { HttpFields } from "#net"
import type { Client, Done, Form } from "../Client.ts"
import type { Clockwork } from "../Clockwork.ts"
import { machineClockwork } from "../ClockworkAdapter.ts"
import type { KubeObject } from "../KubeObject.ts"
import { listOf, objectOf } from "./Answers.ts"
import { deleteBody, pathOf, patchTypes, Queries } from "./ApiPath.ts"
import { ConnectionPool } from "./ConnectionPoolAdapter.ts"
import { CredentialsAdapter } from "./CredentialsAdapter.ts"
import { impersonateExtraField } from "./ExtraField.ts"
import type { Impersonation, KubeAccess } from "./Kubeconfig.ts"
import { askOnce, type Decode, type HttpCall, type HttpCalls } from "./UnaryCallAdapter.ts"
import { watchOnce } from "./WatchCallAdapter.ts"

export interface HttpClientOptions {
  readonly access: KubeAccess
  readonly clockwork?: Clockwork
  /** Default "kubewharf". */
  readonly userAgent?: string
  /** How long an answer may take, and the first byte of a watch. Default 60,000. */
  readonly requestTimeoutMs?: number
  /** Bytes of one answer, or of one event of a watch. Default 268,435,456. */
  readonly answerBytesMax?: number
  /** Lets a server get each call once: a caller that tries again by itself sees what the server said. Default false. */
  readonly once?: boolean
  /** Hears what servers send as Warning. */
  readonly onWarning?: (warning: string) => void
}

/** A Client over HTTP, which also reads what is no object: discovery, health. */
export interface HttpKubeApi extends Client {
  /** The text of a GET on a path of the server, like "/readyz". */
  readonly page: (path: string, accept: string, done: Done<string>) => void
  /** When the last byte of the answer that is being told came, by the clock's monotonic time in ms; it is decoded after that. */
  readonly answeredMs: () => number
}

const impersonationFields = ({ extra, groups, uid, user }: Impersonation): HttpFields => [
  ["impersonate-user", user],
  ...(uid === undefined ? [] : [["impersonate-uid", uid] as const]),
  ...groups.map((group) => ["impersonate-group", group] as const),
  ...Object.entries(extra).flatMap(([name, values]) =>
    values.map((value) => [impersonateExtraField(name.toLowerCase()), value] as const)
  )
]

const jsonType = "application/json"

/** What is asked for where metadata suffices; a server that does not know it sends whole objects. */
const acceptOf = ({ metadataOnly }: Form, kind: "PartialObjectMetadata" | "PartialObjectMetadataList") =>
  metadataOnly === true ? { accept: `${jsonType};as=${kind};g=meta.k8s.io;v=v1,${jsonType}` } : {}

class HttpKubeClient implements HttpKubeApi {
  readonly #calls: HttpCalls
  /** The path of the server's address, without its last slash. */
  readonly #base: string

  constructor(options: HttpClientOptions) {
    const { access, clockwork = machineClockwork, userAgent = "kubewharf" } = options
    this.#base = new URL(access.cluster.server).pathname.replace(/\/+$/, "")
    this.#calls = {
      clockwork,
      pool: new ConnectionPool(access.cluster),
      credentials: new CredentialsAdapter(clockwork, access),
      fields: [
        ["accept", jsonType],
        ["user-agent", userAgent],
        ...(access.user.impersonate === undefined ? [] : impersonationFields(access.user.impersonate))
      ],
      requestTimeoutMs: options.requestTimeoutMs ?? 60_000,
      answerBytesMax: options.answerBytesMax ?? 268_435_456,
      onWarning: options.onWarning ?? (() => undefined),
      once: options.once ?? false,
      answeredMs: 0
    }
  }

  close(): void {
    this.#calls.pool.close()
  }

  answeredMs: HttpKubeApi["answeredMs"] = () => this.#calls.answeredMs

  page: HttpKubeApi["page"] = (path, accept, done) =>
    this.#read(path, (body) => Buffer.from(body).toString("utf8"), done, { accept })

  get: Client["get"] = (target, options, done) =>
    this.#read(pathOf(target) + Queries.get(options), objectOf, done, acceptOf(options, "PartialObjectMetadata"))

  list: Client["list"] = (collection, options, done) =>
    this.#read(pathOf(collection) + Queries.list(options), listOf, done, acceptOf(options, "PartialObjectMetadataList"))

  watch: Client["watch"] = (collection, options, listener) =>
    watchOnce(
      this.#calls,
      {
        method: "GET",
        path: this.#base + pathOf(collection) + Queries.watch(options),
        repeatable: true,
        ...acceptOf(options, "PartialObjectMetadata")
      },
      listener
    )

  create: Client["create"] = (target, object, options, done) =>
    this.#write("POST", pathOf(target) + Queries.write(options), object, done)

  update: Client["update"] = (target, object, options, done) =>
    this.#write("PUT", pathOf(target) + Queries.write(options), object, done)

  patch: Client["patch"] = (target, { body, type }, options, done) =>
    this.#write("PATCH", pathOf(target) + Queries.patch(options), body, done, patchTypes[type])

  delete: Client["delete"] = (target, options, done) => this.#write("DELETE", pathOf(target), deleteBody(options), done)

  deleteCollection: Client["deleteCollection"] = (collection, options, selection, done) =>
    this.#write("DELETE", pathOf(collection) + Queries.delete(selection), deleteBody(options), done)

  #read<A>(path: string, decode: Decode<A>, done: Done<A>, accept: Pick<HttpCall, "accept">): void {
    askOnce(this.#calls, { method: "GET", path: this.#base + path, repeatable: true, ...accept }, decode, done)
  }

  #write(method: HttpCall["method"], path: string, body: unknown, done: Done<KubeObject>, type = jsonType): void {
    const call: HttpCall = {
      method,
      path: this.#base + path,
      repeatable: false,
      content: { type, bytes: Buffer.from(JSON.stringify(body)) }
    }
    askOnce(this.#calls, call, objectOf, done)
  }
}

/** A Client of the cluster that an access names; its connections close with the scope. Nothing is sent before the first call. */
export const httpClient = (options: HttpClientOptions): Effect.Effect<HttpKubeApi, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new HttpKubeClient(options)),
    (client) => Effect.sync(() => client.close())
  )
