// Our gateway before a real kube-apiserver: everyone of the run goes through it, with the certificates that the API server would take.
// Owns its configuration and command line, and counting at the end what it could not serve.
import { answersOk, askOnce, freePort, kubeconfigText } from "#kind"
import { Effect } from "effect"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Finish, metricSeries, metricSum, type OpenedSystem, openOwn, type SystemPlace } from "./System.ts"

/** The cluster's name to the gateway; its certificate is the API server's, which has it. */
const HOST = "localhost"
const everything = [
  { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
  { verbs: ["*"], nonResourceURLs: ["*"] }
]

const base64 = (text: string): string => Buffer.from(text).toString("base64")

const manifestOf = ({ files, url }: SystemPlace["plane"]): string => {
  const { admin, ca, serverCertFile, serverKeyFile } = files
  const spec = {
    servers: [{ endpoint: url }],
    clientConfig: { caData: base64(ca), certData: base64(admin.cert), keyData: base64(admin.key) },
    secureServing: {
      certData: readFileSync(serverCertFile).toString("base64"),
      keyData: readFileSync(serverKeyFile).toString("base64"),
      clientCAData: base64(ca)
    },
    dispatchPolicies: [{ strategy: "RoundRobin", rules: everything }]
  }
  const metadata = { name: HOST }
  return JSON.stringify({ apiVersion: "proxy.kubegateway.io/v1alpha1", kind: "UpstreamCluster", metadata, spec })
}

const REQUESTS = "kubegateway_proxy_apiserver_request_total"
const CUT_SHORT = "kubegateway_proxy_apiserver_request_terminations_total"
/** The run's own clients hang up when it is over, and their watches, which have no end of their own, with them. */
const HUNG_UP = /(?=.*[{,]verb="watch")(?=.*[{,]reason="client_gone")/i

/** What was not answered whole, by verb, resource and the gateway's reason: a request is never only a number. */
const cutShort = (text: string): Readonly<Record<string, number>> =>
  Object.fromEntries(
    metricSeries(text, CUT_SHORT)
      .filter(({ labels }) => !HUNG_UP.test(labels))
      .map(({ labels, value }) => {
        const [verb, resource, reason] = ["verb", "resource", "reason"].map(
          (name) => new RegExp(`[{,]${name}="([^"]*)"`).exec(labels)?.[1] ?? ""
        )
        return [`gateway: cut short, ${verb} ${resource}, ${reason}`, value]
      })
  )

/** Starts the gateway; it lives as long as the scope. */
export const openGateway = ({ folder, plane }: SystemPlace) =>
  Effect.gen(function* () {
    const { admin, ca, caFile, serverCertFile, serverKeyFile } = plane.files
    const configDir = join(folder, "clusters")
    mkdirSync(configDir, { recursive: true, mode: 0o700 })
    writeFileSync(join(configDir, "cluster.json"), manifestOf(plane), { mode: 0o600 })
    const [port, adminPort] = [yield* freePort, yield* freePort]
    const asked = { ca, pair: admin, host: HOST }
    const process = yield* openOwn(
      "gateway",
      [
        ["serve", "gateway", "--config-dir", configDir, "--bind-address", "127.0.0.1"],
        ["--proxy-secure-ports", `${port}`, "--secure-port", `${adminPort}`, "--client-ca-file", caFile],
        ["--tls-cert-file", serverCertFile, "--tls-private-key-file", serverKeyFile]
      ].flat(),
      folder,
      answersOk({ ...asked, port, path: "/version" })
    )
    const kubeconfig = join(folder, "through-gateway.conf")
    writeFileSync(kubeconfig, kubeconfigText("gateway", `https://${HOST}:${port}`, ca, admin), { mode: 0o600 })
    const finish = askOnce({ ...asked, port: adminPort, path: "/metrics" }).pipe(
      Effect.map(({ status, text }): Finish => {
        const failed = metricSum(text, REQUESTS, /code="(5\d\d|429)"/)
        const served = metricSum(text, REQUESTS)
        const missing = status === 200 && served > 0 ? [] : [{ rule: "the gateway served the run", text: `${status}` }]
        return {
          violations: missing,
          facts: {
            "gateway: requests": served,
            "gateway: answered 429 or 5xx": failed,
            "gateway: cut short": metricSum(text, CUT_SHORT) - metricSum(text, CUT_SHORT, HUNG_UP),
            ...cutShort(text),
            "gateway: watches that their clients ended": metricSum(text, CUT_SHORT, HUNG_UP)
          }
        }
      })
    )
    const opened: OpenedSystem = { processes: [process], front: { kubeconfig, clients: "all" }, finish }
    return opened
  })
