// Two clusters behind one gateway, and questions whose answers tell who the cluster takes the caller for.
// Owns the rig of the security tests; refuses to judge.
import { join } from "node:path"
import { type Access, type Asked, asking, type Asking, type Reply } from "../../front/Access.ts"
import { startUpstream, type Upstream, type UpstreamPrograms } from "../../front/Upstream.ts"
import { type Gateway, manifestOf, startGateway } from "./Gateway.ts"

export const A = "a.example"
export const B = "b.example"

export interface Walls {
  readonly a: Upstream
  readonly b: Upstream
  readonly gateway: Gateway
  /** What cluster A has recorded of requests. */
  readonly auditFile: string
  /** An asker that is closed with the rest. */
  readonly as: (access: Access) => Asking
  readonly stop: () => Promise<void>
}

const AUDIT_POLICY = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  rules: [{ level: "Metadata" }],
  omitStages: ["RequestReceived"]
}

/** Starts both clusters, bare, and the gateway; A is also "localhost". */
export const startWalls = async (programs: UpstreamPrograms): Promise<Walls> => {
  const askers: Array<Asking> = []
  const a = await startUpstream(programs, { name: A, audit: AUDIT_POLICY, bare: true })
  const b = await startUpstream(programs, { name: B, bare: true })
  const secureB = manifestOf(b) as { readonly spec: { readonly secureServing: object } }
  const alone = { ...secureB.spec.secureServing, serverNames: [] }
  const gateway = await startGateway(
    { a: manifestOf(a), b: { ...secureB, spec: { ...secureB.spec, secureServing: alone } } },
    { folder: a.folder, probe: a.owner }
  )
  const stop = async (): Promise<void> => {
    for (const one of askers) one.close()
    await gateway.stop()
    await Promise.all([a.stop(), b.stop()])
  }
  const as = (access: Access): Asking => {
    const one = asking(access)
    askers.push(one)
    return one
  }
  return { a, b, gateway, auditFile: join(a.folder, "audit.log"), as, stop }
}

const REVIEW = JSON.stringify({ apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" })

export interface Taken {
  readonly code: number
  readonly username?: string
  readonly uid?: string
  readonly groups?: ReadonlyArray<string>
  readonly extra?: Readonly<Record<string, ReadonlyArray<string>>>
}

/** Who the cluster takes the caller for. */
export const whoami = async (who: Asking, headers: Asked["headers"] = {}): Promise<Taken> => {
  const reply: Reply = await who.ask("/apis/authentication.k8s.io/v1/selfsubjectreviews", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: REVIEW
  })
  if (reply.code !== 201) return { code: reply.code }
  const { status } = JSON.parse(reply.body.toString()) as {
    readonly status: { readonly userInfo: Omit<Taken, "code"> }
  }
  return { code: reply.code, ...status.userInfo }
}
