// The tenancy server as a process: its certificates, the cluster behind it, what it installs there, its listener and its controller.
// Owns the order in which they start and drain; refuses flags, which the command reads.
import { randomBytes, createHmac } from "node:crypto"
import { hostname } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { clusterCertificates, kubeconfigText } from "#apiserver"
import { type Client, effectClient, electLeader, httpClient, type KubeAccess, machineClockwork } from "#kube"
import { listen } from "#net"
import { makeIdentify } from "./identity/Identify.ts"
import { TokenReviews } from "./identity/TokenReviews.ts"
import { Definitions } from "./lifecycle/Definitions.ts"
import { KubeconfigRoute } from "./lifecycle/KubeconfigRoute.ts"
import { makeTenantController, type TenantController } from "./lifecycle/TenantController.ts"
import { TenantNamespaces } from "./lifecycle/TenantNamespaces.ts"
import { Tenants } from "./lifecycle/Tenants.ts"
import { Rewriter } from "./rewrite/Rewriter.ts"
import { makeTenancy, type Tenancy } from "./serve/Tenancy.ts"
import type { TenantLimits } from "./quota/TenantLoad.ts"
import { openUpstream } from "./upstream/UpstreamAdapter.ts"
import { installWalls } from "./walls/Install.ts"
import { installPodAccess } from "./walls/PodAccess.ts"
import { shieldSubjects } from "./walls/SubjectShield.ts"

export interface ServeTenancyOptions {
  readonly access: KubeAccess
  readonly host: string
  readonly port: number
  /** Where certificates are kept; without it they are new with each start, and so are all kubeconfigs. */
  readonly dataDir: string | undefined
  /** Further names of this server's certificate. */
  readonly hosts: ReadonlyArray<string>
  /** What tenants' kubeconfigs name; by default the address that is listened on. */
  readonly publicUrl: string | undefined
  /** Where tenants' pods reach this server; undefined: their environment leads to the cluster behind, as it made it. */
  readonly podsServer: { readonly host: string; readonly port: number } | undefined
  /** PEM of further authorities of operators' certificates. */
  readonly clientCa: string
  readonly limits: TenantLimits
  readonly kubeconfigSeconds: number
  readonly kubeconfigMaxSeconds: number
}

export interface RunningTenancy {
  readonly url: string
  /** An operator's kubeconfig: manages tenants, here. */
  readonly kubeconfig: string
  readonly tenancy: Tenancy
}

/** How long open requests may take to end when the process is asked to stop, in milliseconds. */
const DRAIN_MS = 5000

const caller = { caller: "tenancy/ServeTenancy.ts" }

const certificatesOf = Effect.fnUntraced(function* ({ dataDir, host, hosts, podsServer }: ServeTenancyOptions) {
  const names = [
    "localhost",
    "127.0.0.1",
    ...(host === "0.0.0.0" || host === "::" ? [hostname()] : [host]),
    ...hosts,
    ...(podsServer === undefined ? [] : [podsServer.host])
  ]
  const directory = (name: string) => (dataDir === undefined ? undefined : join(dataDir, name))
  const platform = yield* clusterCertificates({ directory: directory("pki"), hosts: [...new Set(names)] })
  // An authority of its own: nobody of a tenant can ever be taken for an operator.
  const tenants = yield* clusterCertificates({ directory: directory("tenants-pki"), hosts: ["tenants"] })
  return { platform, tenants }
})

/** Writes what was thrown unforeseen as errors, from code that runs outside of effects. */
const logs = Effect.map(Effect.context(), (context) => {
  const run = Effect.runForkWith(context)
  return {
    defect: (defect: unknown): void => {
      const text = defect instanceof Error ? (defect.stack ?? defect.message) : String(defect)
      run(Effect.logError(text).pipe(Effect.annotateLogs(caller)))
    },
    warning: (text: string): void => void run(Effect.logWarning(text).pipe(Effect.annotateLogs(caller)))
  }
})

const synced = (tenants: Tenants, namespaces: TenantNamespaces, definitions: Definitions) =>
  Effect.callback<void>((resume) => {
    let open = 3
    const one = (): void => {
      if (--open === 0) resume(Effect.void)
    }
    tenants.onSynced(one)
    namespaces.informer.onSynced(one)
    definitions.informer.onSynced(one)
  })

/** What is known of the cluster behind, kept until the scope closes. */
const openKnowledge = Effect.fnUntraced(function* (client: Client) {
  const tenants = new Tenants({ client, clockwork: machineClockwork })
  const namespaces = new TenantNamespaces(client, machineClockwork)
  const definitions = new Definitions(client, machineClockwork)
  const start = Effect.sync(() => {
    tenants.start()
    namespaces.informer.start()
    definitions.informer.start()
  })
  const stop = Effect.sync(() => {
    tenants.stop()
    namespaces.informer.stop()
    definitions.informer.stop()
  })
  yield* Effect.acquireRelease(start, () => stop)
  yield* synced(tenants, namespaces, definitions)
  return { tenants, namespaces, definitions }
})

type Certificates = Effect.Success<ReturnType<typeof certificatesOf>>

/** Serves until the scope closes; ready when it returns. */
export const serveTenancy = Effect.fn("tenancy.serve")(function* (options: ServeTenancyOptions) {
  const clockwork = machineClockwork
  const certificates = yield* certificatesOf(options)
  const { platform, tenants: tenantPki } = certificates
  const log = yield* logs
  const client = yield* httpClient({ access: options.access, userAgent: "kubewharf-tenancy" })
  const upstream = yield* openUpstream(options.access)
  const podServer = options.podsServer && { ...options.podsServer, ca: platform.ca }
  yield* installWalls(effectClient(client))
  yield* installPodAccess(effectClient(client), podServer)
  const { definitions, namespaces, tenants } = yield* openKnowledge(client)
  const state = { url: "" }
  const tenancy = makeTenancy({
    upstream,
    client,
    clockwork,
    tenants,
    namespaces,
    definitions,
    kubeconfigs: new KubeconfigRoute({
      client,
      clockwork,
      tenants,
      authority: { cert: tenantPki.ca, key: tenantPki.caKey },
      serverCa: platform.ca,
      server: () => options.publicUrl ?? state.url,
      defaultSeconds: options.kubeconfigSeconds,
      maxSeconds: options.kubeconfigMaxSeconds
    }),
    limits: options.limits,
    identify: makeIdentify({
      clockwork,
      tenants,
      namespaces,
      tokens: new TokenReviews(client, clockwork),
      tenantCa: tenantPki.ca,
      platformCa: platform.ca + options.clientCa
    }),
    rewriting: (view) => shieldSubjects(new Rewriter(view)),
    // Servers that share their certificates read one another's continue tokens.
    secret: createHmac("sha256", tenantPki.caKey).update("continue tokens").digest(),
    onDefect: log.defect
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => tenancy.stop()))
  state.url = yield* open(options, certificates, { tenancy, onDefect: log.defect })
  yield* lead(client, () =>
    makeTenantController({
      client,
      clockwork,
      tenants,
      namespaces,
      catalog: tenancy.catalog,
      podServer,
      onFailure: (tenant, failure) => log.warning(`tenant ${tenant} is tried again: ${failure.message}`)
    })
  )
  const server = options.publicUrl ?? state.url
  const running: RunningTenancy = {
    url: state.url,
    kubeconfig: kubeconfigText({ server, name: "tenancy", certificates: platform }),
    tenancy
  }
  return running
})

/** Listens; answers the URL. The listener drains with the scope. */
const open = Effect.fnUntraced(function* (
  { clientCa, host, port }: ServeTenancyOptions,
  { platform, tenants }: Certificates,
  { onDefect, tenancy }: { readonly tenancy: Tenancy; readonly onDefect: (defect: unknown) => void }
) {
  const listening = yield* listen({
    host,
    port,
    methods: [],
    exchange: tenancy.handler,
    onDefect,
    tls: {
      context: () => ({ ...platform.server, ca: [platform.ca, tenants.ca, ...blocksOf(clientCa)] }),
      clientAuth: "optional"
    }
  })
  yield* Effect.addFinalizer(() => {
    tenancy.drain()
    return listening.drain(DRAIN_MS)
  })
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host
  return `https://${reachable}:${listening.port}`
})

const blocksOf = (pem: string): ReadonlyArray<string> =>
  pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []

/** Runs a controller while this server leads; each time it is a new one, because none starts twice. */
const lead = Effect.fnUntraced(function* (client: Client, make: () => TenantController) {
  let working: TenantController | undefined
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      electLeader({
        clockwork: machineClockwork,
        client,
        namespace: "kube-system",
        name: "kubewharf-tenancy",
        identity: `${hostname()}-${process.pid}-${randomBytes(4).toString("hex")}`,
        started: () => {
          working = make()
          working.start()
        },
        stopped: () => {
          working?.stop()
          working = undefined
        }
      })
    ),
    (cancel) => Effect.sync(cancel)
  )
})
