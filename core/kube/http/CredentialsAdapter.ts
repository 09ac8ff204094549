// Who a client is, at this moment: tokens from files that change and from programs that are asked again when theirs has expired.
// Owns reading, running and remembering; refuses to send anything. No failure shows a token, a key or what a program printed.
import { execFile } from "node:child_process"
import { readFile } from "node:fs"
import type { Clockwork } from "../Clockwork.ts"
import { isJsonObject, type Json, type JsonObject } from "../Json.ts"
import { ApiFailure, Failures } from "../Status.ts"
import { parseRfc3339 } from "../Timestamp.ts"
import type { ExecPlugin, KubeAccess, KubeCluster, KubeUser, PemSource } from "./Kubeconfig.ts"

/** What a connection and a request need to show. */
export interface Credential {
  /** The value of the Authorization field. */
  readonly authorization: string | undefined
  /** Of the connection; a change of it needs a new one. */
  readonly certificate: PemSource | undefined
  readonly key: PemSource | undefined
}

/** Seconds for which a token file is not read again. */
const TOKEN_FILE_MS = 60_000
const PROGRAM_TIMEOUT_MS = 60_000
const PROGRAM_OUTPUT_MAX = 1_048_576
/** Callers that wait for one run of a program. */
const WAITING_MAX = 10_000

type Answer = (credential: Credential | ApiFailure) => void

interface Remembered {
  readonly credential: Credential
  readonly untilMs: number
}

/** The credential of one user, renewed as its source says. */
export class CredentialsAdapter {
  readonly #clockwork: Clockwork
  readonly #cluster: KubeCluster
  readonly #user: KubeUser
  #remembered: Remembered | undefined
  #waiting: Array<Answer> | undefined

  constructor(clockwork: Clockwork, { cluster, user }: KubeAccess) {
    this.#clockwork = clockwork
    this.#cluster = cluster
    this.#user = user
  }

  /** Whether asking again after a 401 may help. */
  get changes(): boolean {
    return this.#user.exec !== undefined || this.#user.tokenFile !== undefined
  }

  /** The credential of now; answers perhaps before it returns. */
  current(answer: Answer): void {
    if (this.#remembered !== undefined && this.#clockwork.now() < this.#remembered.untilMs) {
      answer(this.#remembered.credential)
      return
    }
    if (this.#waiting !== undefined) {
      if (this.#waiting.length < WAITING_MAX) this.#waiting.push(answer)
      else answer(Failures.tooManyRequests("too many requests wait for a credential", 1))
      return
    }
    this.#waiting = [answer]
    this.#fetch()
  }

  /** Forgets what is remembered: the server did not accept it. */
  forget(): void {
    this.#remembered = undefined
  }

  #settle(credential: Credential | ApiFailure, untilMs: number): void {
    if (!(credential instanceof ApiFailure)) this.#remembered = { credential, untilMs }
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const answer of waiting) answer(credential)
  }

  #fetch(): void {
    const { basic, certificate, exec, key, token, tokenFile } = this.#user
    const settle = (authorization: string | undefined, untilMs: number): void =>
      this.#settle({ authorization, certificate, key }, untilMs)
    if (tokenFile !== undefined) {
      readFile(tokenFile, "utf8", (problem, text) => {
        if (problem === null && text.trim() !== "")
          settle(`Bearer ${text.trim()}`, this.#clockwork.now() + TOKEN_FILE_MS)
        else this.#settle(Failures.unauthorized(`${tokenFile}: no token can be read`), 0)
      })
    } else if (token !== undefined) settle(`Bearer ${token}`, Infinity)
    else if (basic !== undefined) {
      settle(`Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString("base64")}`, Infinity)
    } else if (exec === undefined) settle(undefined, Infinity)
    else this.#run(exec)
  }

  #run(plugin: ExecPlugin): void {
    const { apiVersion, args, command, env, installHint } = plugin
    const information = {
      kind: "ExecCredential",
      apiVersion,
      spec: { interactive: false, ...(plugin.provideClusterInfo ? { cluster: clusterInformation(this.#cluster) } : {}) }
    }
    const environment = {
      ...process.env,
      ...Object.fromEntries(env),
      KUBERNETES_EXEC_INFO: JSON.stringify(information)
    }
    const bounds = { timeout: PROGRAM_TIMEOUT_MS, maxBuffer: PROGRAM_OUTPUT_MAX, env: environment }
    execFile(command, args, bounds, (problem, output) => {
      if (problem !== null) {
        const hint = installHint === undefined ? "" : ` (${installHint})`
        const why =
          problem.code === "ENOENT" ? `is not installed${hint}` : `failed with ${String(problem.code ?? "a signal")}`
        this.#settle(Failures.unauthorized(`the program "${command}" of users[].user.exec ${why}`), 0)
        return
      }
      const read = credentialOf(output, plugin)
      if (read instanceof ApiFailure) this.#settle(read, 0)
      else this.#settle(read.credential, read.untilMs)
    })
  }
}

const clusterInformation = (cluster: KubeCluster): JsonObject => ({
  server: cluster.server,
  ...(cluster.tlsServerName === undefined ? {} : { "tls-server-name": cluster.tlsServerName }),
  ...(cluster.insecureSkipTlsVerify ? { "insecure-skip-tls-verify": true } : {}),
  ...(cluster.certificateAuthority !== undefined && "text" in cluster.certificateAuthority
    ? { "certificate-authority-data": Buffer.from(cluster.certificateAuthority.text).toString("base64") }
    : {}),
  ...(cluster.proxyUrl === undefined ? {} : { "proxy-url": cluster.proxyUrl })
})

const textIn = (object: JsonObject, name: string): string | undefined => {
  const value = object[name]
  return typeof value === "string" && value !== "" ? value : undefined
}

const credentialOf = (output: string, { apiVersion, command }: ExecPlugin): Remembered | ApiFailure => {
  const refuse = (rule: string): ApiFailure =>
    Failures.unauthorized(`the program "${command}" of users[].user.exec answered wrongly: ${rule}`)
  let answer: Json
  try {
    answer = JSON.parse(output) as Json
  } catch {
    return refuse("its output is no JSON")
  }
  if (!isJsonObject(answer) || answer["kind"] !== "ExecCredential") return refuse("kind must be ExecCredential")
  if (answer["apiVersion"] !== apiVersion) return refuse(`apiVersion must be ${apiVersion}`)
  const { status } = answer
  if (!isJsonObject(status)) return refuse("status is missing")
  const token = textIn(status, "token")
  const certificate = textIn(status, "clientCertificateData")
  const key = textIn(status, "clientKeyData")
  if ((certificate === undefined) !== (key === undefined)) {
    return refuse("status.clientCertificateData and status.clientKeyData must come together")
  }
  if (token === undefined && certificate === undefined) return refuse("status has neither a token nor a certificate")
  const expires = textIn(status, "expirationTimestamp")
  const untilMs = expires === undefined ? Infinity : parseRfc3339(expires)
  if (untilMs === undefined) return refuse("status.expirationTimestamp must be an RFC 3339 time")
  return {
    credential: {
      authorization: token === undefined ? undefined : `Bearer ${token}`,
      certificate: certificate === undefined ? undefined : { text: certificate },
      key: key === undefined ? undefined : { text: key }
    },
    untilMs
  }
}
