// One way to reach a Kubernetes API: an address, the authority of its certificate and what proves the caller; as a kubeconfig and as
// raw requests, whose path and headers go out as they are given.
// Owns the form of both; refuses to follow, repair or judge anything.
import { readFileSync } from "node:fs"
import type { OutgoingHttpHeaders } from "node:http"
import { Agent, request } from "node:https"

export interface Access {
  /** https://HOST:PORT. */
  readonly url: string
  readonly caFile: string
  /** Name in the handshake and in the Host header; without it that of the URL. */
  readonly serverName?: string
  readonly certFile?: string
  readonly keyFile?: string
  readonly token?: string
}

export interface Asked {
  readonly method?: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string | Uint8Array
  /** Ends the request when so much of the answer has been read; for what never ends by itself. */
  readonly untilBytes?: number
  readonly untilMs?: number
}

export interface Reply {
  readonly code: number
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly body: Buffer
}

/** A caller with connections of its own. */
export interface Asking {
  readonly ask: (path: string, asked?: Asked) => Promise<Reply>
  readonly close: () => void
}

/** Headers in pairs, as they came. */
const pairs = (raw: ReadonlyArray<string>): ReadonlyArray<readonly [string, string]> =>
  raw.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), raw[at + 1] ?? ""] as const] : []))

const length = (body: string | Uint8Array | undefined): Readonly<Record<string, string>> =>
  body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }

/** Requests over HTTP/1.1 by an access. */
export const asking = (access: Access): Asking => {
  const { hostname, port } = new URL(access.url)
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 16,
    ca: readFileSync(access.caFile),
    ...(access.certFile === undefined ? {} : { cert: readFileSync(access.certFile) }),
    ...(access.keyFile === undefined ? {} : { key: readFileSync(access.keyFile) }),
    servername: access.serverName ?? (hostname === "127.0.0.1" ? "localhost" : hostname)
  })
  const own: Record<string, string> = access.token === undefined ? {} : { authorization: `Bearer ${access.token}` }
  if (access.serverName !== undefined) own["host"] = access.serverName
  const ask: Asking["ask"] = (path, asked = {}) =>
    new Promise((resolve, reject) => {
      const { body, method = "GET" } = asked
      const headers = { ...own, ...length(body), ...asked.headers }
      const sent = request({ agent, host: hostname, port, method, path, headers }, (response) => {
        const chunks: Array<Buffer> = []
        const done = (): void =>
          resolve({ code: response.statusCode ?? 0, headers: pairs(response.rawHeaders), body: Buffer.concat(chunks) })
        let bytes = 0
        const timer = asked.untilMs === undefined ? undefined : setTimeout(() => void response.destroy(), asked.untilMs)
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk)
          bytes += chunk.length
          if (bytes >= (asked.untilBytes ?? Infinity)) response.destroy()
        })
        response.on("error", (error) =>
          asked.untilBytes === undefined && timer === undefined ? reject(error) : done()
        )
        response.on("close", () => {
          clearTimeout(timer)
          done()
        })
      })
      sent.on("error", reject)
      sent.end(body)
    })
  return { ask, close: () => agent.destroy() }
}

/** A kubeconfig with one context named by the cluster. */
export const kubeconfigOf = (access: Access, name = "tour"): string => {
  const { caFile, certFile, keyFile, serverName, token, url } = access
  const inline = (file: string): string => readFileSync(file).toString("base64")
  const cluster = {
    server: url,
    "certificate-authority-data": inline(caFile),
    ...(serverName === undefined ? {} : { "tls-server-name": serverName })
  }
  const user = {
    ...(certFile === undefined ? {} : { "client-certificate-data": inline(certFile) }),
    ...(keyFile === undefined ? {} : { "client-key-data": inline(keyFile) }),
    ...(token === undefined ? {} : { token })
  }
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    clusters: [{ name, cluster }],
    users: [{ name: "user", user }],
    contexts: [{ name, context: { cluster: name, user: "user" } }]
  })
}
