// The server's handler before a ModelCluster, and tenants that list and watch through it: what each was told, line by line.
// Owns the requests and what came of them; refuses sockets and processes.
import { type ApiFailure, Failures } from "#kube"
import type { HttpBody, HttpFields } from "#net"
import type { TenantCaller } from "../identity/Caller.ts"
import { TenantNamespaces } from "../lifecycle/TenantNamespaces.ts"
import { type Tenant, Tenants } from "../lifecycle/Tenants.ts"
import type { Rewriting } from "../rewrite/Contract.ts"
import { Rewriter } from "../rewrite/Rewriter.ts"
import { makeTenancy, type Tenancy } from "../serve/Tenancy.ts"
import { MemoryExchange } from "./Handler.ts"
import { ModelCluster } from "./ModelCluster.ts"
import { SteppedClockwork } from "./SteppedClockwork.ts"

/** One event as a client reads it. */
export interface Told {
  readonly type: string
  readonly namespace: string
  readonly name: string
  readonly version: number
  /** Of an ERROR. */
  readonly code: number
  readonly columns: boolean
  readonly endsInitial: boolean
}

interface Line {
  readonly type: string
  readonly object: {
    readonly code?: number
    readonly metadata?: Metadata
    readonly columnDefinitions?: ReadonlyArray<unknown> | null
    readonly rows?: ReadonlyArray<{ readonly object?: { readonly metadata?: Metadata } }>
  }
}

interface Metadata {
  readonly name?: string
  readonly namespace?: string
  readonly resourceVersion?: string
  readonly annotations?: Readonly<Record<string, string>>
}

const told = (line: string): Told => {
  const { object, type } = JSON.parse(line) as Line
  const metadata = object.rows?.[0]?.object?.metadata ?? object.metadata ?? {}
  return {
    type,
    name: metadata.name ?? "",
    namespace: metadata.namespace ?? "",
    version: Number(metadata.resourceVersion ?? object.metadata?.resourceVersion ?? "0"),
    code: object.code ?? 0,
    columns: (object.columnDefinitions ?? []).length > 0,
    endsInitial: metadata.annotations?.["k8s.io/initial-events-end"] === "true"
  }
}

const decoder = new TextDecoder()

/** One request of a tenant, and what it was answered. */
export class ModelExchange extends MemoryExchange {
  override readonly protocol = "HTTP/2.0"
  /** What came of the body so far. */
  text = ""
  over = false
  answered: HttpFields = []

  constructor(path: string, accept: string) {
    super({ method: "GET", path, fields: [["accept", accept]], body: "" })
  }

  override respond(status: number, fields: HttpFields, body: string | Uint8Array): void {
    this.code = status
    this.answered = fields
    this.text = typeof body === "string" ? body : decoder.decode(body)
    this.over = true
  }

  override start(status: number, fields: HttpFields): HttpBody {
    this.code = status
    this.answered = fields
    return {
      write: (bytes) => {
        this.text += decoder.decode(bytes)
        return true
      },
      relay: () => true,
      bufferedBytes: 0,
      onDrain: undefined,
      end: () => void (this.over = true),
      abort: () => void (this.over = true)
    }
  }

  /** The body as a watch's lines; none of what is no watch. */
  get told(): ReadonlyArray<Told> {
    if (this.code !== 200) return []
    return this.text
      .split("\n")
      .filter((line) => line !== "")
      .map(told)
  }
}

/** The handler before a ModelCluster, and tenants of it. */
export class ModelHandler {
  readonly clockwork = new SteppedClockwork()
  readonly cluster = new ModelCluster(this.clockwork)
  readonly tenancy: Tenancy
  private readonly tenants = new Map<string, Tenant>()
  private caller = ""

  /** `rewriting` is that of the first tenant, if a check brings one. */
  constructor(ids: ReadonlyArray<string>, rewriting?: Rewriting) {
    const { clockwork, cluster } = this
    const client = cluster.client()
    for (const id of ids) this.tenants.set(id, tenantOf(id))
    this.tenancy = makeTenancy({
      upstream: cluster,
      client,
      clockwork,
      tenants: new Tenants({ client, clockwork }),
      namespaces: new TenantNamespaces(client, clockwork),
      identify: (_exchange, done) => done(this.callerOf(this.caller)),
      rewriting: (view) =>
        rewriting !== undefined && view.tenant === ids[0]
          ? rewriting
          : new Rewriter({ ...view, isTenant: (id) => ids.includes(id) }),
      limits: unbounded,
      // So few that watches begin before them.
      eventsKept: 6,
      secret: "of a check",
      onDefect: (defect) => {
        throw defect
      }
    })
    clockwork.run(1)
  }

  private callerOf(id: string): TenantCaller | ApiFailure {
    const tenant = this.tenants.get(id)
    if (tenant === undefined) return Failures.unauthorized()
    return { kind: "tenant", tenant, admin: true, user: { name: `${id}-admin`, groups: [] } }
  }

  private send(id: string, path: string, accept: string): ModelExchange {
    const exchange = new ModelExchange(path, accept)
    this.caller = id
    this.tenancy.handler(exchange)
    return exchange
  }

  /** Watches pods, of one namespace or of all (""). */
  watch(id: string, namespace: string, query: string, accept = "application/json"): ModelExchange {
    return this.send(id, `${podsOf(namespace)}?watch=true${query === "" ? "" : `&${query}`}`, accept)
  }

  /** Lists pods, and waits for the answer. */
  list(id: string, namespace: string, query: string): ModelExchange {
    const exchange = this.send(id, `${podsOf(namespace)}${query === "" ? "" : `?${query}`}`, "application/json")
    this.clockwork.run(1)
    return exchange
  }

  /** Lets what was asked be answered, and what happened be told. */
  settle(): void {
    for (let turn = 0; turn < 4; turn++) {
      this.clockwork.run(20)
      this.cluster.turn()
    }
  }
}

const podsOf = (namespace: string): string => `/api/v1/${namespace === "" ? "" : `namespaces/${namespace}/`}pods`

const unbounded = { requestsPerSecond: 1e9, burst: 1e9, inFlightMax: 1e9, longRunningMax: 1e9 }

const tenantOf = (id: string): Tenant => ({
  id,
  uid: id,
  access: "ReadWrite",
  deleting: false,
  object: { apiVersion: "tenant.kubezoo.io/v1alpha1", kind: "Tenant", metadata: { name: id } }
})
