// Clusters and their secrets as a kube-apiserver holds them, followed by watches: of our own control plane or of any other.
// Owns which secrets are watched (those that manifests name, one at a time, so that no right to list all of them is needed); refuses
// to judge what it reads. Bound: one watch for the clusters, and one for each secret that is named.
import { type ApiFailure, type Client, type Clockwork, gvr, Informer } from "#kube"
import type { ConfigStore } from "../config/ConfigStore.ts"
import { secretKey, type SecretPlace } from "../decode/SecretRefs.ts"
import { upstreamClusters } from "../schema/GatewayCrds.ts"

/** Where a configuration comes from. */
export interface ConfigSource {
  /** Whether all that is there has been read once. */
  readonly isSynced: () => boolean
  readonly stop: () => void
}

export interface ApiSourceOptions {
  readonly client: Client
  readonly clockwork: Clockwork
  readonly store: ConfigStore
  /** A list or a watch failed; it goes on by itself. */
  readonly onFailure: (failure: ApiFailure) => void
}

const secrets = gvr("", "v1", "secrets")

interface FollowedSecret {
  readonly place: SecretPlace
  readonly informer: Informer
}

class ApiSource implements ConfigSource {
  readonly #options: ApiSourceOptions
  readonly #clusters: Informer
  readonly #secrets = new Map<string, FollowedSecret>()

  constructor(options: ApiSourceOptions) {
    const { client, clockwork, onFailure, store } = options
    this.#options = options
    const collection = { resource: upstreamClusters, namespace: "" }
    this.#clusters = new Informer({ client, clockwork, collection, onFailure })
    this.#clusters.addHandler({
      added: (object) => store.put(object),
      updated: (_before, after) => store.put(after),
      deleted: ({ metadata }) => store.remove(metadata.name ?? "")
    })
    // A secret may be named by what came a moment ago: its watch begins before the snapshot of this turn is built.
    this.#clusters.addHandler({
      added: () => this.#followSecrets(),
      updated: () => this.#followSecrets(),
      deleted: () => this.#followSecrets()
    })
    this.#clusters.start()
  }

  readonly isSynced = (): boolean => {
    if (!this.#clusters.hasSynced) return false
    for (const { informer } of this.#secrets.values()) if (!informer.hasSynced) return false
    return true
  }

  readonly stop = (): void => {
    this.#clusters.stop()
    for (const { informer } of this.#secrets.values()) informer.stop()
    this.#secrets.clear()
  }

  #followSecrets(): void {
    const named = new Map(this.#options.store.secretRefs().map((place) => [secretKey(place), place]))
    for (const [key, { informer, place }] of this.#secrets) {
      if (named.has(key)) continue
      informer.stop()
      this.#secrets.delete(key)
      this.#options.store.removeSecret(place)
    }
    for (const [key, place] of named) if (!this.#secrets.has(key)) this.#secrets.set(key, this.#follow(place))
  }

  #follow(place: SecretPlace): FollowedSecret {
    const { client, clockwork, onFailure, store } = this.#options
    const informer = new Informer({
      client,
      clockwork,
      onFailure,
      collection: { resource: secrets, namespace: place.namespace },
      fieldSelector: `metadata.name=${place.name}`
    })
    informer.addHandler({
      added: (object) => store.putSecret(object),
      updated: (_before, after) => store.putSecret(after),
      deleted: () => store.removeSecret(place)
    })
    informer.start()
    return { place, informer }
  }
}

/** Follows the clusters of an API server into a store, until it is stopped. */
export const followApi = (options: ApiSourceOptions): ConfigSource => new ApiSource(options)
