// Our tenancy as a front: `wharf serve tenancy` before the upstream, with as many tenants as the scenario says, each with a kubeconfig
// that the server gives out. Owns the command line, the tenants' making and the reading of their kubeconfigs; limits per tenant are
// set out of the way, since they are not what is measured.
import { answersOk, type Asked, askOnce, freePort, ServerFailed } from "#kind"
import { Effect } from "effect"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"
import { packageVersion } from "../../PackageRoot.ts"
import { openFrontProcess } from "../FrontProcess.ts"
import { clusterHost, type PemPair, type TenantCredentials, tenantId } from "../load/FrontEndpoint.ts"
import type { FrontKind, FrontSettings, RunningFront } from "./FrontBackend.ts"
import { hasServer, wharfProgram } from "./OwnServer.ts"

/** Where tenants are made. */
export const tenantsPath = "/apis/tenant.kubezoo.io/v1alpha1/tenants"
const unlimited = "1000000"
const atOnce = 8
const askEveryMs = 200
const askTimes = 300

const failed = (reason: string) => new ServerFailed({ backend: "tenancy", reason, log: "" })

const base64 = (text: string): string => Buffer.from(text).toString("base64")

/** A kubeconfig of the front itself for the upstream. */
const upstreamKubeconfig = ({ certificates, upstream }: FrontSettings): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "upstream",
    clusters: [
      {
        name: "upstream",
        cluster: {
          server: `https://127.0.0.1:${upstream.ports[0]}`,
          "certificate-authority-data": base64(upstream.ca)
        }
      }
    ],
    users: [
      {
        name: "front",
        user: {
          "client-certificate-data": base64(certificates.front.cert),
          "client-key-data": base64(certificates.front.key)
        }
      }
    ],
    contexts: [{ name: "upstream", context: { cluster: "upstream", user: "front" } }]
  })

/** What a kubeconfig holds: the authority of its server, and its user's pair. */
interface Credentials {
  readonly ca: string
  readonly pair: PemPair
}

/** Reads a kubeconfig with inline data; undefined when it is none. */
export const credentialsIn = (text: string): Credentials | undefined => {
  const document = JSON.stringify(parse(text) as unknown)
  const data = (field: string): string | undefined => {
    const found = new RegExp(`"${field}":"([^"]+)"`).exec(document)?.[1]
    return found === undefined ? undefined : Buffer.from(found, "base64").toString("utf8")
  }
  const [ca, cert, key] = ["certificate-authority-data", "client-certificate-data", "client-key-data"].map(data)
  return ca === undefined || cert === undefined || key === undefined ? undefined : { ca, pair: { cert, key } }
}

const operatorIn = (file: string): Credentials | undefined =>
  existsSync(file) ? credentialsIn(readFileSync(file, "utf8")) : undefined

/** Asks until the answer has one of these codes; a server that is still at work on a tenant says so by others. */
const insist = (asked: Asked, codes: ReadonlyArray<number>): Effect.Effect<string, ServerFailed> =>
  Effect.gen(function* () {
    let last = ""
    for (let attempt = 0; attempt < askTimes; attempt++) {
      const { status, text } = yield* askOnce(asked)
      if (codes.includes(status)) return text
      last = `${status} ${text.slice(0, 200)}`
      yield* Effect.sleep(askEveryMs)
    }
    return yield* failed(`${asked.method ?? "GET"} ${asked.path} was answered ${last}`)
  })

/** Makes one tenant and waits until its default namespace can be read by its own kubeconfig, which it answers. */
export const tenantKubeconfig = (
  port: number,
  operator: Credentials,
  id: string
): Effect.Effect<string, ServerFailed> =>
  Effect.gen(function* () {
    const asOperator = { port, ...operator, method: "POST" }
    const tenant = JSON.stringify({
      apiVersion: "tenant.kubezoo.io/v1alpha1",
      kind: "Tenant",
      metadata: { name: id },
      spec: {}
    })
    yield* insist({ ...asOperator, path: tenantsPath, body: tenant }, [201, 409])
    const text = yield* insist({ ...asOperator, path: `${tenantsPath}/${id}/kubeconfig`, body: "{}" }, [200, 201])
    const own = credentialsIn(text)
    if (own === undefined) return yield* failed(`the kubeconfig of tenant ${id} holds no certificate`)
    yield* insist({ port, ...own, path: "/api/v1/namespaces/default" }, [200])
    return text
  })

const makeTenant = (port: number, operator: Credentials, id: string): Effect.Effect<TenantCredentials, ServerFailed> =>
  Effect.flatMap(tenantKubeconfig(port, operator, id), (text) => {
    const own = credentialsIn(text)
    return own === undefined
      ? failed(`the kubeconfig of tenant ${id} holds no certificate`)
      : Effect.succeed<TenantCredentials>(own)
  })

const open = (settings: FrontSettings) =>
  Effect.gen(function* () {
    const { directory, front } = settings
    const folder = join(directory, "tenancy")
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const upstream = join(folder, "upstream.conf")
    writeFileSync(upstream, upstreamKubeconfig(settings), { mode: 0o600 })
    const file = join(folder, "operator.conf")
    const port = yield* freePort
    const process = yield* openFrontProcess("tenancy", "front", {
      backend: "tenancy",
      command: wharfProgram,
      args: [
        ["serve", "tenancy", "--upstream-kubeconfig", upstream, "--listen", `127.0.0.1:${port}`],
        ["--data-dir", join(folder, "data"), "--kubeconfig", file, "--tls-san", clusterHost],
        ["--tenant-requests-per-second", unlimited, "--tenant-burst", unlimited],
        ["--tenant-in-flight", unlimited, "--tenant-watches", unlimited]
      ].flat(),
      directory,
      ready: Effect.suspend(() => {
        const operator = operatorIn(file)
        return operator === undefined ? Effect.succeed(false) : answersOk({ port, ...operator, path: tenantsPath })
      })
    })
    const operator = operatorIn(file)
    if (operator === undefined) return yield* failed("wrote no operator's kubeconfig")
    const ids = Array.from({ length: front.tenants?.count ?? 0 }, (_, index) => tenantId(index))
    const tenants = yield* Effect.forEach(ids, (id) => makeTenant(port, operator, id), { concurrency: atOnce })
    const running: RunningFront = {
      targets: [{ host: "127.0.0.1", port }],
      processes: [process],
      ca: operator.ca,
      translates: true,
      tenants,
      swap: undefined
    }
    return running
  })

/** `--backend tenancy`. */
export const tenancy: FrontKind = {
  name: "tenancy",
  note: "our tenancy: each tenant sees a cluster of its own",
  find: Effect.as(hasServer("tenancy"), {
    name: "tenancy",
    version: packageVersion(),
    settings: { limits: "out of the way" },
    open
  })
}
