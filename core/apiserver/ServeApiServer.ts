// An API server as a process: store, server, identity, certificates, front and listener, and the kubeconfig to use it.
// Owns the order in which they start and drain; refuses flags, which the command reads, and what runs on top (controllers, nodes).
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs"
import { networkInterfaces } from "node:os"
import { dirname, join, resolve } from "node:path"
import { Effect } from "effect"
import { type ApiFailure, type JsonObject, machineClockwork } from "#kube"
import { listen, type Listening } from "#net"
import { httpsWebhookCaller } from "./admission/WebhookCallAdapter.ts"
import type { ApiServer } from "./ApiServer.ts"
import { signJwt } from "./authn/Jwt.ts"
import { openIdPaths } from "./authn/FrontIdentity.ts"
import { type SigningKey, signingKey } from "./authn/SigningKeys.ts"
import { newSigningKeyPem } from "./authn/SigningKeysAdapter.ts"
import type { BootstrapOptions } from "./bootstrap/BootstrapObjects.ts"
import { type ControlPlane, makeControlPlane } from "./ControlPlane.ts"
import type { Call } from "./http/Call.ts"
import { type ClusterCertificates, clusterCertificates } from "./http/ClusterCertificatesAdapter.ts"
import { type Front, type FrontAuthenticator, makeFront } from "./http/Front.ts"
import { kubeconfigText } from "./http/KubeconfigText.ts"
import { methodNotAllowed } from "./http/PlainAnswers.ts"
import { openAudit, readServerFile, ServerFileInvalid } from "./serve/ServeAudit.ts"
import { openStore } from "./serve/ServeStore.ts"
import { makeAuthenticator } from "./serve/ServerIdentity.ts"
import type { ServerOptions } from "./serve/ServerOptions.ts"

/** A server that answers. */
export interface RunningApiServer {
  readonly api: ApiServer
  /** Like "https://127.0.0.1:6443". */
  readonly url: string
  /** The administrator's kubeconfig. */
  readonly kubeconfig: string
  /** What controllers of the cluster sign certificates with, in PEM; undefined without TLS. */
  readonly authority: { readonly cert: string; readonly key: string } | undefined
  /** Signs a service account's token that never ends, as secrets hold them. */
  readonly signToken: (claims: JsonObject) => string
}

const SERVICE_ACCOUNT_ISSUER = "https://kubernetes.default.svc.cluster.local"
/** How long open requests may take to end when the process is asked to stop, in milliseconds. */
const DRAIN_MS = 5000

const caller = { caller: "apiserver/ServeApiServer.ts" }

/** Names under which clients in the cluster and on this machine reach the server. */
const hostsOf = ({ host, hosts }: ServerOptions, serviceIp: string): ReadonlyArray<string> => [
  ...new Set([
    "localhost",
    "127.0.0.1",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    serviceIp,
    ...(host === "0.0.0.0" || host === "::" ? [] : [host]),
    ...hosts
  ])
]

/** The first address of the services' block is the server's own. */
const firstServiceIp = (cidrs: ReadonlyArray<string>): string => {
  const [address = "10.0.0.0"] = (cidrs[0] ?? "").split("/")
  return address.includes(":")
    ? `${address}1`
    : address.replace(/\.(\d+)$/, (_, last: string) => `.${Number(last) + 1}`)
}

/** Where clients in the cluster find the server: not on a loopback address, which would be their own. */
const advertised = (reachable: string): string => {
  if (!/^(127\.|::1$|localhost$)/.test(reachable)) return reachable
  const outward = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === "IPv4" && !internal)
  return outward?.address ?? reachable
}

/** Writes a file that only its owner reads, whole or not at all. */
const writeKept = (option: string, path: string, text: string): Effect.Effect<void, ServerFileInvalid> =>
  Effect.try({
    try: () => {
      mkdirSync(dirname(resolve(path)), { recursive: true, mode: 0o700 })
      writeFileSync(`${path}.new`, text, { mode: 0o600 })
      renameSync(`${path}.new`, path)
    },
    catch: (error) =>
      new ServerFileInvalid({ option, path, detail: error instanceof Error ? error.message : String(error) })
  })

/** The key of service-account tokens: that of the last start, so that tokens outlive a restart. */
const tokenKey = Effect.fnUntraced(function* (dataDir: string | undefined) {
  const fresh = newSigningKeyPem("ec")
  if (dataDir === undefined) return signingKey(fresh)
  const path = join(dataDir, "pki", "sa.key")
  if (existsSync(path)) return signingKey(yield* readServerFile("data-dir", path))
  yield* writeKept("data-dir", path, fresh)
  return signingKey(fresh)
})

/** Everyone is the administrator: of a server without TLS. */
const everyone: FrontAuthenticator = {
  authenticate: (_exchange, done) =>
    done({ name: "kubernetes-admin", groups: ["system:masters", "system:authenticated"] })
}

/** Opens the store and the control plane on it, with its gates. */
const openPlane = Effect.fnUntraced(function* (options: ServerOptions) {
  const keyValue = yield* openStore(options)
  const webhooks = yield* Effect.acquireRelease(Effect.sync(httpsWebhookCaller), (open) =>
    Effect.sync(() => open.close())
  )
  const { disableAdmissionPlugins: disable, enableAdmissionPlugins: enable } = options
  const { eventTtlSeconds, serviceCidrs } = options
  return yield* Effect.acquireRelease(
    Effect.sync(() =>
      makeControlPlane({
        keyValue,
        clockwork: machineClockwork,
        resources: { eventTtlSeconds, serviceCidrs },
        webhooks: { caller: webhooks },
        disable,
        enable,
        definitions: options.extensions.definitions
      })
    ),
    (plane) => Effect.sync(() => plane.stop())
  )
})

const begin = Effect.fnUntraced(function* (plane: ControlPlane, options: BootstrapOptions) {
  const failures = yield* Effect.callback<ReadonlyArray<ApiFailure>>((resume) =>
    plane.begin(options, (failed) => resume(Effect.succeed(failed)))
  )
  for (const failure of failures) yield* Effect.logWarning(failure.message).pipe(Effect.annotateLogs(caller))
})

/** What the server was told in files. */
const readFiles = Effect.fnUntraced(function* ({ clientCaFile, tokenAuthFile }: ServerOptions) {
  const clientCa = clientCaFile === undefined ? "" : yield* readServerFile("client-ca-file", clientCaFile)
  const tokens = tokenAuthFile === undefined ? undefined : yield* readServerFile("token-auth-file", tokenAuthFile)
  return { clientCa, tokens }
})

/** Writes what was thrown unforeseen as warnings, from code that runs outside of effects. */
const defectLog = Effect.map(Effect.context(), (context) => (defect: unknown): void => {
  const text = defect instanceof Error ? (defect.stack ?? defect.message) : String(defect)
  Effect.runForkWith(context)(Effect.logError(text).pipe(Effect.annotateLogs(caller)))
})

/** Pages as the front takes them. */
const pagePaths = (
  pages: ServerOptions["extensions"]["pages"]
): ReadonlyArray<readonly [string, (call: Call) => void]> =>
  Array.from(pages, ([path, page]) => [
    path,
    (call) => {
      if (call.exchange.method !== "GET") return call.fail(methodNotAllowed())
      const { body, contentType } = page()
      call.respond(200, [["content-type", contentType]], body)
    }
  ])

interface Served {
  readonly options: ServerOptions
  readonly plane: ControlPlane
  readonly key: SigningKey
  readonly certificates: ClusterCertificates | undefined
}

/** Opens the front on a socket; it drains with the scope, its watches first. */
const openFront = Effect.fnUntraced(function* ({ certificates, key, options, plane }: Served) {
  const { access, api } = plane
  const files = yield* readFiles(options)
  const clientCa = `${certificates?.ca ?? ""}${files.clientCa}`
  const { anonymous, host, insecure, limits, morePorts, port, requestTimeoutMs, streams } = options
  const identity = { clientCa, tokens: files.tokens, anonymous, issuer: SERVICE_ACCOUNT_ISSUER, signingKey: key }
  const authenticator = makeAuthenticator(api, access, identity)
  const audit = options.audit === undefined ? undefined : yield* openAudit(options.audit)
  const onDefect = yield* defectLog
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host
  const state: { listening?: Listening; ready: boolean } = { ready: false }
  const address = (): string => `${reachable}:${state.listening?.port ?? port}`
  const front: Front = makeFront({
    api,
    authenticator: insecure ? everyone : authenticator,
    authorizer: access.authorizer,
    checks: [
      {
        name: "poststarthook/bootstrap",
        readinessOnly: true,
        check: () => (state.ready ? undefined : "not finished")
      },
      ...options.extensions.checks
    ],
    metrics: options.extensions.metrics,
    ...(audit === undefined ? {} : { audit }),
    ...(streams === undefined ? {} : { streams }),
    limits,
    requestTimeoutMs,
    serverAddress: address,
    extraPaths: new Map([
      ...openIdPaths(SERVICE_ACCOUNT_ISSUER, `https://${reachable}:${port}`, [key]),
      ...pagePaths(options.extensions.pages)
    ]),
    onDefect
  })
  const tls =
    certificates === undefined
      ? undefined
      : { context: () => ({ ...certificates.server, ca: clientCa }), clientAuth: "optional" as const }
  const open = (at: number) =>
    listen({
      host,
      port: at,
      methods: [],
      exchange: front.handler,
      onDefect,
      ...(tls === undefined ? {} : { tls })
    })
  state.listening = yield* open(port)
  const all = [state.listening, ...(yield* Effect.forEach(morePorts, open))]
  yield* Effect.addFinalizer(() => {
    front.drain()
    return Effect.forEach(all, ({ drain }) => drain(DRAIN_MS), { concurrency: "unbounded", discard: true })
  })
  return { state, reachable, port: state.listening.port }
})

/** Serves until the scope closes; ready when it returns. */
export const serveApiServer = Effect.fn("apiserver.serve")(function* (options: ServerOptions) {
  const serviceIp = firstServiceIp(options.serviceCidrs)
  const directory = options.dataDir === undefined ? undefined : join(options.dataDir, "pki")
  const certificates = options.insecure
    ? undefined
    : yield* clusterCertificates({ directory, hosts: hostsOf(options, serviceIp) })
  const key = yield* tokenKey(options.dataDir)
  const plane = yield* openPlane(options)
  const { port, reachable, state } = yield* openFront({ options, plane, key, certificates })
  const clientCa = certificates === undefined ? {} : { clientCa: certificates.ca }
  const { serviceCidrs } = options
  yield* begin(plane, { serviceIp, serviceCidrs, address: advertised(reachable), port, ...clientCa })
  state.ready = true
  const url = `${options.insecure ? "http" : "https"}://${reachable}:${port}`
  const kubeconfig = kubeconfigText({ server: url, name: options.clusterName, certificates })
  if (options.kubeconfig !== undefined) yield* writeKept("kubeconfig", options.kubeconfig, kubeconfig)
  const running: RunningApiServer = {
    api: plane.api,
    url,
    kubeconfig,
    authority: certificates && { cert: certificates.ca, key: certificates.caKey },
    signToken: (claims) => signJwt(claims, key)
  }
  return running
})
