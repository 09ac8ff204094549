// Where a run's clients find the front and how they prove themselves: plain data, since it crosses to the load generator's process.
// Owns the names of users, tokens, tenants and namespaces, which upstream, front and clients must spell alike.
import type { Front } from "../Front.ts"
import type { FrontObjects } from "../FrontOperation.ts"

/** PEM texts. */
export interface PemPair {
  readonly cert: string
  readonly key: string
}

/** What a tenant's clients show where the front gave each tenant credentials of its own. */
export interface TenantCredentials {
  readonly pair?: PemPair
  readonly token?: string
  /** Authority of the server that these credentials are for, where it is not the run's. */
  readonly ca?: string
}

/** The front as its clients see it. */
export interface FrontEndpoint {
  /** One per instance. */
  readonly targets: ReadonlyArray<{ readonly host: string; readonly port: number }>
  /** SNI, the name in the servers' certificates, and the host of every request. */
  readonly serverName: string
  readonly ca: string
  /** Client certificates by user. */
  readonly pairs: Readonly<Record<string, PemPair>>
  /** By tenant, from 0; empty where the front knows no tenants and namespaces carry their ids instead. */
  readonly tenants: ReadonlyArray<TenantCredentials>
}

/** The host under which the upstream cluster is known to clients and to the front. */
export const clusterHost = "bench.wharf.test"

/** The user that may do everything, and populates. */
export const adminUser = "wharf-admin"

/** Name of a user of an identity. */
export const userName = (identity: string, index: number): string => `${identity}-${index}`

/** The bearer token of a user; a fresh one carries a number behind a dot. */
export const tokenOf = (user: string, fresh?: number): string =>
  `wharf-${user}${fresh === undefined ? "" : `.${fresh}`}`

/** The user whom a token names; undefined when it is none of ours. */
export const userOfToken = (token: string): string | undefined => /^wharf-([a-z0-9.-]+?)(?:\.\d+)?$/.exec(token)?.[1]

/** Tenant ids have six characters, as KubeZoo's. */
export const tenantId = (index: number): string => `t${String(index).padStart(5, "0")}`

/** A namespace as a tenant sees it, or everyone where there are no tenants. */
export const namespaceName = ({ name }: FrontObjects, index: number): string => `${name}-${index}`

/** The same as the upstream knows it. */
export const upstreamNamespace = (
  front: Pick<Front, "tenants">,
  objects: FrontObjects,
  tenant: number,
  index: number
) =>
  front.tenants === undefined ? namespaceName(objects, index) : `${tenantId(tenant)}-${namespaceName(objects, index)}`
