// The types that are federated now, by their FederatedTypeConfigs, and an informer of each on the host.
// Owns their coming and going; refuses to know what objects mean. Managed fields are dropped, except of Services, whose preparation
// asks who set an address.
import {
  type ApiFailure,
  type Cancel,
  type Client,
  type Clockwork,
  type GroupVersionResource,
  groupResource,
  Informer,
  type KubeObject
} from "#kube"
import { type TypeConfig, typeConfigOf } from "../api/TypeConfig.ts"

export interface FederatedTypesOptions {
  readonly clockwork: Clockwork
  readonly client: Client
  /** Of FederatedTypeConfigs. */
  readonly configs: Informer
  /** A source is there, changed or is gone; `initial`: it was there before anybody looked. */
  readonly onSource: (type: TypeConfig, object: KubeObject, initial: boolean) => void
  readonly onType: (type: TypeConfig) => void
  readonly onFailure?: (type: string, failure: ApiFailure) => void
}

interface Followed {
  readonly config: TypeConfig
  readonly informer: Informer
}

/** Which values of a source make it another one for us: status and managed fields do not. */
const pruned = (object: KubeObject): KubeObject => {
  const { managedFields: _dropped, ...metadata } = object.metadata
  return { ...object, metadata }
}

const kindKey = (group: string, kind: string): string => `${group}/${kind}`

const isSameSource = (a: TypeConfig, b: TypeConfig): boolean =>
  a.type.group === b.type.group && a.type.version === b.type.version && a.type.resource === b.type.resource

export class FederatedTypes {
  readonly #options: FederatedTypesOptions
  readonly #byName = new Map<string, Followed>()
  readonly #byKind = new Map<string, string>()
  readonly #byResource = new Map<string, string>()
  readonly #stop: Cancel

  constructor(options: FederatedTypesOptions) {
    this.#options = options
    const changed = (object: KubeObject): void => this.#take(typeConfigOf(object))
    this.#stop = options.configs.addHandler({
      added: changed,
      updated: (_before, after) => changed(after),
      deleted: (object) => this.#drop(object.metadata.name ?? "")
    })
  }

  /** All of them. */
  all(): ReadonlyArray<TypeConfig> {
    return [...this.#byName.values()].map(({ config }) => config)
  }

  named(name: string): TypeConfig | undefined {
    return this.#byName.get(name)?.config
  }

  ofKind = (group: string, kind: string): TypeConfig | undefined =>
    this.named(this.#byKind.get(kindKey(group, kind)) ?? "")

  ofResource(type: GroupVersionResource): TypeConfig | undefined {
    return this.named(this.#byResource.get(groupResource(type)) ?? "")
  }

  /** The informer of a type's sources. */
  informer(name: string): Informer | undefined {
    return this.#byName.get(name)?.informer
  }

  /** Whether the sources of all types are known. */
  get hasSynced(): boolean {
    for (const { informer } of this.#byName.values()) if (!informer.hasSynced) return false
    return this.#options.configs.hasSynced
  }

  stop(): void {
    this.#stop()
    for (const name of this.#byName.keys()) this.#drop(name)
  }

  #take(config: TypeConfig): void {
    const known = this.#byName.get(config.name)
    if (known !== undefined && isSameSource(known.config, config)) {
      this.#byName.set(config.name, { ...known, config })
      this.#options.onType(config)
      return
    }
    if (known !== undefined) this.#drop(config.name)
    // Two configurations of one type would federate it twice: the one that came first has it.
    if (this.#byResource.has(groupResource(config.type))) return
    this.#follow(config)
    this.#options.onType(config)
  }

  #follow(config: TypeConfig): void {
    const { client, clockwork, onFailure, onSource } = this.#options
    const { group, kind } = config.type
    const informer = new Informer({
      clockwork,
      client,
      collection: { resource: config.type, namespace: "" },
      ...(group === "" && kind === "Service" ? {} : { transform: pruned }),
      onFailure: (failure) => onFailure?.(config.name, failure)
    })
    this.#byName.set(config.name, { config, informer })
    this.#byKind.set(kindKey(group, kind), config.name)
    this.#byResource.set(groupResource(config.type), config.name)
    const current = (): TypeConfig => this.named(config.name) ?? config
    informer.addHandler({
      added: (object, initial) => onSource(current(), object, initial),
      updated: (before, after) => {
        if (mattersTo(before, after)) onSource(current(), after, false)
      },
      deleted: (object) => onSource(current(), object, false)
    })
    informer.start()
  }

  #drop(name: string): void {
    const followed = this.#byName.get(name)
    if (followed === undefined) return
    followed.informer.stop()
    this.#byName.delete(name)
    this.#byKind.delete(kindKey(followed.config.type.group, followed.config.type.kind))
    this.#byResource.delete(groupResource(followed.config.type))
  }
}

/** Whether a source has changed in anything but its status. */
const mattersTo = (before: KubeObject, after: KubeObject): boolean => {
  const { generation } = after.metadata
  // Kinds that count generations say themselves whether their spec changed.
  const same =
    generation !== undefined && generation > 0
      ? generation === before.metadata.generation
      : sameButForStatus(before, after)
  return !same || JSON.stringify(steeringOf(before)) !== JSON.stringify(steeringOf(after))
}

const steeringOf = ({ metadata }: KubeObject): ReadonlyArray<unknown> => [
  metadata.labels,
  metadata.annotations,
  metadata.finalizers,
  metadata.deletionTimestamp,
  metadata.uid
]

const sameButForStatus = (before: KubeObject, after: KubeObject): boolean => {
  for (const field in after) {
    if (field === "metadata" || field === "status") continue
    if (before[field] !== after[field] && JSON.stringify(before[field]) !== JSON.stringify(after[field])) return false
  }
  for (const field in before) if (after[field] === undefined && field !== "status") return false
  return true
}
