// What kubeconfig files say: clusters, users, contexts (client-go's tools/clientcmd/api/v1), merged as kubectl merges them.
// Owns their reading from text and the choice of a context; refuses files and programs, which the adapters read and run.
// Failures name file and field and never show a value: it may be a secret.
import { dirname, isAbsolute, join } from "node:path"
import { parse as parseYaml } from "yaml"

/** A kubeconfig that cannot be used. */
export class KubeconfigInvalid extends Error {
  readonly _tag = "KubeconfigInvalid"
  override readonly name = "KubeconfigInvalid"
}

/** A PEM text, or the file that holds it. */
export type PemSource = { readonly text: string } | { readonly file: string }

export interface KubeCluster {
  /** Like "https://host:6443", perhaps with a path. */
  readonly server: string
  readonly tlsServerName: string | undefined
  readonly insecureSkipTlsVerify: boolean
  readonly certificateAuthority: PemSource | undefined
  readonly proxyUrl: string | undefined
}

/** A program that gives credentials (client.authentication.k8s.io). */
export interface ExecPlugin {
  readonly apiVersion: "client.authentication.k8s.io/v1" | "client.authentication.k8s.io/v1beta1"
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env: ReadonlyArray<readonly [string, string]>
  readonly provideClusterInfo: boolean
  readonly installHint: string | undefined
}

export interface Impersonation {
  readonly user: string
  readonly uid: string | undefined
  readonly groups: ReadonlyArray<string>
  readonly extra: Readonly<Record<string, ReadonlyArray<string>>>
}

export interface KubeUser {
  readonly certificate: PemSource | undefined
  readonly key: PemSource | undefined
  readonly token: string | undefined
  /** Goes before the token, and is read again as it changes. */
  readonly tokenFile: string | undefined
  readonly basic: { readonly username: string; readonly password: string } | undefined
  readonly exec: ExecPlugin | undefined
  readonly impersonate: Impersonation | undefined
}

export interface KubeContext {
  readonly cluster: string
  readonly user: string
  /** Empty when the context names none. */
  readonly namespace: string
}

export interface Kubeconfig {
  readonly clusters: ReadonlyMap<string, KubeCluster>
  readonly users: ReadonlyMap<string, KubeUser>
  readonly contexts: ReadonlyMap<string, KubeContext>
  readonly currentContext: string
}

/** All that it takes to speak to one cluster as somebody. */
export interface KubeAccess {
  readonly cluster: KubeCluster
  readonly user: KubeUser
  readonly namespace: string
}

/** Nobody in particular. */
export const anonymous: KubeUser = {
  certificate: undefined,
  key: undefined,
  token: undefined,
  tokenFile: undefined,
  basic: undefined,
  exec: undefined,
  impersonate: undefined
}

const kindOf = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "a list" : typeof value === "object" ? "a map" : `a ${typeof value}`

/** One map of a file, with the way to it; its getters throw KubeconfigInvalid. */
class Fields {
  readonly file: string
  readonly #at: string
  readonly #map: Readonly<Record<string, unknown>>

  constructor(file: string, at: string, value: unknown) {
    this.file = file
    this.#at = at
    if (value !== undefined && value !== null && (typeof value !== "object" || Array.isArray(value))) {
      throw new KubeconfigInvalid(`${file}: ${at === "" ? "the document" : at} is ${kindOf(value)}; it must be a map`)
    }
    this.#map = (value ?? {}) as Readonly<Record<string, unknown>>
  }

  refuse(name: string, rule: string): never {
    throw new KubeconfigInvalid(`${this.file}: ${this.#path(name)} ${rule}`)
  }

  /** Absent and empty are the same, as in Go. */
  text(name: string): string | undefined {
    const value = this.#map[name]
    if (value === undefined || value === null || value === "") return undefined
    return typeof value === "string" ? value : this.refuse(name, `is ${kindOf(value)}; it must be a string`)
  }

  needed(name: string): string {
    return this.text(name) ?? this.refuse(name, "is missing")
  }

  flag(name: string): boolean {
    const value = this.#map[name] ?? false
    return typeof value === "boolean" ? value : this.refuse(name, `is ${kindOf(value)}; it must be true or false`)
  }

  texts(name: string): ReadonlyArray<string> {
    const value = this.#map[name] ?? []
    const fits = Array.isArray(value) && value.every((item) => typeof item === "string")
    return fits ? value : this.refuse(name, "must be a list of strings")
  }

  map(name: string): Fields | undefined {
    const value = this.#map[name]
    return value === undefined || value === null ? undefined : new Fields(this.file, this.#path(name), value)
  }

  list(name: string): ReadonlyArray<Fields> {
    const value = this.#map[name] ?? []
    if (!Array.isArray(value)) return this.refuse(name, `is ${kindOf(value)}; it must be a list`)
    return value.map((item, at) => new Fields(this.file, `${this.#path(name)}[${at}]`, item))
  }

  names(): ReadonlyArray<string> {
    return Object.keys(this.#map)
  }

  #path(name: string): string {
    return this.#at === "" ? name : `${this.#at}.${name}`
  }
}

const base64 = /^[A-Za-z0-9+/\s]*={0,2}\s*$/

const pemOf = (fields: Fields, name: string): PemSource | undefined => {
  const data = fields.text(`${name}-data`)
  if (data !== undefined) {
    const text = base64.test(data) ? Buffer.from(data, "base64").toString() : ""
    return text.includes("-----BEGIN ") ? { text } : fields.refuse(`${name}-data`, "must be a PEM text in base64")
  }
  const file = fields.text(name)
  return file === undefined ? undefined : { file: resolved(fields.file, file) }
}

/** Paths in a file are relative to where it lies. */
const resolved = (file: string, path: string): string => (isAbsolute(path) ? path : join(dirname(file), path))

const clusterOf = (fields: Fields): KubeCluster => {
  const server = fields.needed("server")
  if (!/^https?:\/\//.test(server)) fields.refuse("server", "must begin with http:// or https://")
  const proxyUrl = fields.text("proxy-url")
  if (proxyUrl !== undefined && !proxyUrl.startsWith("http://")) {
    fields.refuse("proxy-url", "must begin with http://, the only kind of proxy that is supported")
  }
  const insecureSkipTlsVerify = fields.flag("insecure-skip-tls-verify")
  const certificateAuthority = pemOf(fields, "certificate-authority")
  if (insecureSkipTlsVerify && certificateAuthority !== undefined) {
    fields.refuse("insecure-skip-tls-verify", "cannot be true beside a certificate authority")
  }
  return {
    server,
    tlsServerName: fields.text("tls-server-name"),
    insecureSkipTlsVerify,
    certificateAuthority,
    proxyUrl
  }
}

const execOf = (fields: Fields): ExecPlugin => {
  const apiVersion = fields.needed("apiVersion")
  if (apiVersion !== "client.authentication.k8s.io/v1" && apiVersion !== "client.authentication.k8s.io/v1beta1") {
    return fields.refuse(
      "apiVersion",
      "must be client.authentication.k8s.io/v1 or client.authentication.k8s.io/v1beta1"
    )
  }
  if (fields.text("interactiveMode") === "Always") {
    fields.refuse("interactiveMode", "is Always; programs that need a terminal are not supported")
  }
  const command = fields.needed("command")
  return {
    apiVersion,
    // A bare name is looked for in PATH.
    command: command.includes("/") ? resolved(fields.file, command) : command,
    args: fields.texts("args"),
    env: fields.list("env").map((entry) => [entry.needed("name"), entry.text("value") ?? ""] as const),
    provideClusterInfo: fields.flag("provideClusterInfo"),
    installHint: fields.text("installHint")
  }
}

const userOf = (fields: Fields): KubeUser => {
  if (fields.map("auth-provider") !== undefined) fields.refuse("auth-provider", "is no longer supported; use exec")
  const certificate = pemOf(fields, "client-certificate")
  const key = pemOf(fields, "client-key")
  if (certificate !== undefined && key === undefined)
    fields.refuse("client-key", "is missing beside a client certificate")
  const tokenFile = fields.text("tokenFile")
  const username = fields.text("username")
  const exec = fields.map("exec")
  const user = fields.text("as")
  const extra = fields.map("as-user-extra")
  return {
    certificate,
    key,
    token: fields.text("token"),
    tokenFile: tokenFile === undefined ? undefined : resolved(fields.file, tokenFile),
    basic: username === undefined ? undefined : { username, password: fields.text("password") ?? "" },
    exec: exec === undefined ? undefined : execOf(exec),
    impersonate:
      user === undefined
        ? undefined
        : {
            user,
            uid: fields.text("as-uid"),
            groups: fields.texts("as-groups"),
            extra: Object.fromEntries((extra?.names() ?? []).map((name) => [name, extra?.texts(name) ?? []]))
          }
  }
}

const contextOf = (fields: Fields): KubeContext => ({
  cluster: fields.needed("cluster"),
  user: fields.text("user") ?? "",
  namespace: fields.text("namespace") ?? ""
})

const namedOf = <A>(
  document: Fields,
  list: string,
  item: string,
  read: (fields: Fields) => A
): ReadonlyMap<string, A> => {
  const found = new Map<string, A>()
  for (const entry of document.list(list)) {
    const name = entry.needed("name")
    const fields = entry.map(item) ?? entry.refuse(item, "is missing")
    // Of two of one name the first counts.
    if (!found.has(name)) found.set(name, read(fields))
  }
  return found
}

/** Reads one file's text; `file` is its path, which failures name and relative paths start from. */
export const parseKubeconfig = (text: string, file: string): Kubeconfig | KubeconfigInvalid => {
  try {
    const document = new Fields(file, "", parsed(text, file))
    const kind = document.text("kind")
    if (kind !== undefined && kind !== "Config") document.refuse("kind", "must be Config")
    return {
      clusters: namedOf(document, "clusters", "cluster", clusterOf),
      users: namedOf(document, "users", "user", userOf),
      contexts: namedOf(document, "contexts", "context", contextOf),
      currentContext: document.text("current-context") ?? ""
    }
  } catch (problem) {
    if (problem instanceof KubeconfigInvalid) return problem
    throw problem
  }
}

const parsed = (text: string, file: string): unknown => {
  try {
    return parseYaml(text, { maxAliasCount: 100, prettyErrors: false })
  } catch {
    // The parser's own words would quote the text.
    throw new KubeconfigInvalid(`${file}: the document is no YAML`)
  }
}

const merged = <A>(maps: ReadonlyArray<ReadonlyMap<string, A>>): ReadonlyMap<string, A> =>
  new Map(maps.toReversed().flatMap((map) => [...map]))

/** Several files as one: what an earlier file says goes before what a later one says. */
export const mergeKubeconfigs = (configs: ReadonlyArray<Kubeconfig>): Kubeconfig => ({
  clusters: merged(configs.map(({ clusters }) => clusters)),
  users: merged(configs.map(({ users }) => users)),
  contexts: merged(configs.map(({ contexts }) => contexts)),
  currentContext: configs.find(({ currentContext }) => currentContext !== "")?.currentContext ?? ""
})

/** What a caller may choose instead of what the files say. */
export interface AccessChoice {
  readonly context?: string
  readonly cluster?: string
  readonly user?: string
  readonly namespace?: string
}

/** The cluster, user and namespace of a context; `where` names the files in failures. */
export const chooseAccess = (
  config: Kubeconfig,
  where: string,
  choice: AccessChoice = {}
): KubeAccess | KubeconfigInvalid => {
  const contextName = choice.context ?? config.currentContext
  const context = config.contexts.get(contextName)
  if (context === undefined && contextName !== "") return new KubeconfigInvalid(`${where}: no context "${contextName}"`)
  const clusterName = choice.cluster ?? context?.cluster
  if (clusterName === undefined) return new KubeconfigInvalid(`${where}: current-context is missing`)
  const cluster = config.clusters.get(clusterName)
  if (cluster === undefined) return new KubeconfigInvalid(`${where}: no cluster "${clusterName}"`)
  const userName = choice.user ?? context?.user ?? ""
  const user = userName === "" ? anonymous : config.users.get(userName)
  if (user === undefined) return new KubeconfigInvalid(`${where}: no user "${userName}"`)
  return { cluster, user, namespace: choice.namespace ?? context?.namespace ?? "" }
}
