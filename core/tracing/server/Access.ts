// Who may send audit events and who may read traces: bearer tokens of a file, certificates of a known authority, or, where it was said so,
// everybody. Owns the file's form and the comparison in constant time; refuses to say why somebody was refused.
import { createHash, timingSafeEqual } from "node:crypto"
import { Schema } from "effect"
import type { CallInfo, HttpExchange } from "#net"
import { distinctGrants, type ReadGrant } from "../store/ScopedStore.ts"
import type { Asker } from "./Route.ts"

/** The tokens' file cannot be used; shows no token. */
export class TokensInvalid extends Schema.TaggedError<TokensInvalid>()("TokensInvalid", {
  line: Schema.Int,
  rule: Schema.String
}) {
  override get message(): string {
    return `line ${this.line}: ${this.rule}`
  }
}

interface Known {
  readonly digest: Buffer
  readonly asker: Asker
}

export interface AccessOptions {
  /**
   * Lines "token,name,permission permission …": "audit" (of every cluster), "audit/CLUSTER", "read" (everything), "read/CLUSTER",
   * "read/CLUSTER/NAMESPACE".
   */
  readonly tokens: string
  /** Everybody may do everything: for one machine or a network of its own. */
  readonly open: boolean
}

/** Shorter tokens can be guessed. */
const TOKEN_MIN = 16

const digestOf = (token: string): Buffer => createHash("sha256").update(token).digest()

const everybody: Asker = { name: "everybody", maySend: () => true, mayRead: true }

const parseLine = (text: string, line: number): Known => {
  const [token = "", name = "", permissions = "", ...more] = text.split(",").map((part) => part.trim())
  if (more.length > 0 || name === "" || permissions === "")
    throw new TokensInvalid({ line, rule: "must be token,name,permissions" })
  if (token.length < TOKEN_MIN)
    throw new TokensInvalid({ line, rule: `a token must have at least ${TOKEN_MIN} characters` })
  const given = permissions.split(/\s+/)
  const unknown = given.find((permission) => !/^(read(\/[^/\s]+){0,2}|audit(\/[^/\s]+)?)$/.test(permission))
  if (unknown !== undefined) {
    const rule = "permissions must be audit, audit/CLUSTER, read, read/CLUSTER or read/CLUSTER/NAMESPACE"
    throw new TokensInvalid({ line, rule })
  }
  const allowed = new Set(given)
  const maySend = (cluster: string): boolean => allowed.has("audit") || allowed.has(`audit/${cluster}`)
  return { digest: digestOf(token), asker: { name, maySend, mayRead: allowed.has("read") || grantsIn(given) } }
}

/** What is granted of clusters and namespaces; false for nothing. */
const grantsIn = (permissions: ReadonlyArray<string>): false | ReadonlyArray<ReadGrant> => {
  const grants = permissions.flatMap((permission) => {
    const [kind, cluster, namespace] = permission.split("/")
    return kind === "read" && cluster !== undefined ? [{ cluster, namespace }] : []
  })
  return grants.length === 0 ? false : distinctGrants(grants)
}

/** What a browser sends after it has asked for a name and a password. */
const asBearer = (header: string | undefined): string | undefined => {
  if (header === undefined || !header.startsWith("Basic ")) return undefined
  const text = Buffer.from(header.slice(6).trim(), "base64").toString("utf8")
  return `Bearer ${text.slice(text.indexOf(":") + 1)}`
}

export class Access {
  private readonly known: ReadonlyArray<Known>
  private readonly open: boolean

  /** Throws TokensInvalid. */
  constructor({ open, tokens }: AccessOptions) {
    this.open = open
    this.known = tokens
      .split("\n")
      .flatMap((text, at) => (text.trim() === "" || text.startsWith("#") ? [] : [parseLine(text, at + 1)]))
  }

  /** Who asks; undefined when nothing was proved. A browser proves a token as the password of any name, and reads only. */
  of(exchange: HttpExchange): Asker | undefined {
    const header = exchange.header("authorization")
    const isRead = exchange.method === "GET" || exchange.method === "HEAD"
    return this.proved(isRead ? (asBearer(header) ?? header) : header, exchange.peerCertificate?.commonName)
  }

  /** The same of a call by gRPC. */
  ofCall(call: CallInfo): Asker | undefined {
    return this.proved(call.header("authorization"), call.tlsPeerCommonName)
  }

  private proved(header: string | undefined, certified: string | undefined): Asker | undefined {
    if (header !== undefined && header.startsWith("Bearer ")) {
      const digest = digestOf(header.slice(7).trim())
      const found = this.known.find((known) => timingSafeEqual(known.digest, digest))
      if (found !== undefined) return found.asker
    }
    if (certified !== undefined) return { name: certified, maySend: () => true, mayRead: true }
    return this.open ? everybody : undefined
  }
}
