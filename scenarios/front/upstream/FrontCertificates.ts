// The certificates of one run against a front: an authority that everybody trusts, one certificate for every server of the run, one
// for the front as the upstream's client, and one per user. Owns who gets one; they live as long as the run, in memory and in the
// files that child processes need. All users share one key, since making keys is what takes time.
import { makeAuthority, newKeys } from "#net"
import { Effect, Schema } from "effect"
import type { Front } from "../Front.ts"
import { adminUser, clusterHost, type PemPair, userName } from "../load/FrontEndpoint.ts"

/** The certificates cannot be made. */
export class FrontCertificatesFailed extends Schema.TaggedError<FrontCertificatesFailed>()("FrontCertificatesFailed", {
  reason: Schema.String
}) {
  override get message(): string {
    return `certificates for the run cannot be made: ${this.reason}`
  }
}

/** PEM texts. */
export interface FrontCertificates {
  readonly ca: string
  readonly caKey: string
  /** For the cluster's host, localhost and 127.0.0.1. */
  readonly server: PemPair
  /** What the front shows the upstream: a member of system:masters. */
  readonly front: PemPair
  /** The same two, issued once more: what a renewal gives. */
  readonly renewed: { readonly server: PemPair; readonly front: PemPair }
  /** By user, the administrator among them. */
  readonly users: Readonly<Record<string, PemPair>>
}

/** The group of every user of a load; upstreams that authorise let it do everything. */
export const loadGroup = "wharf:load"

const lifetimeMs = 7 * 86_400_000

/** The users that the loads and watches of a front need, without the administrator. */
export const usersOf = ({ phases }: Front): ReadonlyArray<string> => {
  const identities = phases.flatMap(({ load, watch }) => [...load, ...watch].map(({ identity }) => identity))
  const names = identities.flatMap(({ user, users }) =>
    Array.from({ length: users }, (_, index) => userName(user, index))
  )
  return [...new Set(names)]
}

const makeAll = async (front: Front): Promise<FrontCertificates> => {
  const [authority, keys] = [await makeAuthority("CN=wharf run"), await newKeys()]
  const client = (user: string, group: string): Promise<PemPair> =>
    authority.sign({ subject: `O=${group}, CN=${user}`, usage: "client", lifetimeMs }, keys)
  const hosts = [clusterHost, "localhost", "127.0.0.1"]
  const users: Record<string, PemPair> = { [userName(adminUser, 0)]: await client(adminUser, "system:masters") }
  for (const user of usersOf(front)) users[user] = await client(user, loadGroup)
  const server = (): Promise<PemPair> =>
    authority.sign({ subject: `CN=${clusterHost}`, usage: "server", hosts, lifetimeMs }, keys)
  const own = (): Promise<PemPair> => client("wharf-front", "system:masters")
  return {
    ca: authority.cert,
    caKey: authority.key,
    server: await server(),
    front: await own(),
    renewed: { server: await server(), front: await own() },
    users
  }
}

/** Makes the certificates of a run. */
export const makeFrontCertificates = (front: Front): Effect.Effect<FrontCertificates, FrontCertificatesFailed> =>
  Effect.tryPromise({
    try: () => makeAll(front),
    catch: (cause) => new FrontCertificatesFailed({ reason: cause instanceof Error ? cause.message : String(cause) })
  })
