// A folder of YAML files as the configuration, looked at every second: also where it is a mounted ConfigMap, whose files are links.
// Owns reading files and which of them changed; a file that cannot be read keeps what it said before. Refuses to judge manifests.
// Bound: files of at most 4 MiB, 1000 of them.
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import type { Cancel, Clockwork, KubeObject } from "#kube"
import type { ConfigStore } from "../config/ConfigStore.ts"
import { secretKey, type SecretPlace } from "../decode/SecretRefs.ts"
import type { ConfigSource } from "./ApiSource.ts"
import { ManifestInvalid, type Manifests, parseManifests } from "./ManifestText.ts"

export interface FolderOptions {
  readonly folder: string
  readonly clockwork: Clockwork
  readonly store: ConfigStore
  /** A file cannot be taken, or the folder not be read; said once for each state of it. */
  readonly onProblem: (file: string, message: string) => void
}

const LOOK_EVERY_MS = 1000
const FILES_MAX = 1000
const FILE_BYTES_MAX = 4 * 2 ** 20

interface KnownFile {
  readonly stamp: string
  readonly manifests: Manifests
}

const nothing: Manifests = { clusters: [], secrets: [] }

/** How often a manifest changed stands in for the generation that an API server counts. */
interface KnownCluster {
  readonly text: string
  readonly generation: number
}

class FolderSource implements ConfigSource {
  readonly #options: FolderOptions
  #files = new Map<string, KnownFile>()
  #clusters = new Map<string, KnownCluster>()
  #secrets = new Map<string, { readonly place: SecretPlace; readonly text: string }>()
  readonly #cancel: Cancel
  #said = ""

  constructor(options: FolderOptions) {
    this.#options = options
    this.#look()
    this.#cancel = options.clockwork.every(LOOK_EVERY_MS, () => this.#look())
  }

  readonly isSynced = (): boolean => true

  readonly stop = (): void => this.#cancel()

  #look(): void {
    const names = this.#names()
    if (names === undefined) return
    const files = new Map<string, KnownFile>()
    let changed = names.length !== this.#files.size
    for (const name of names) {
      const known = this.#files.get(name)
      const now = this.#read(name, known)
      files.set(name, now)
      if (now.manifests !== known?.manifests) changed = true
    }
    this.#files = files
    if (changed) this.#tell()
  }

  #names(): ReadonlyArray<string> | undefined {
    const { folder, onProblem } = this.#options
    try {
      const names = readdirSync(folder)
        .filter((name) => /\.(ya?ml|json)$/.test(name) && !name.startsWith("."))
        .sort()
      if (names.length > FILES_MAX) throw new Error(`more than ${FILES_MAX} files`)
      this.#said = ""
      return names
    } catch (error) {
      const message = error instanceof Error ? error.message : "cannot be read"
      if (message !== this.#said) onProblem(folder, message)
      this.#said = message
      return undefined
    }
  }

  #read(name: string, known: KnownFile | undefined): KnownFile {
    const path = join(this.#options.folder, name)
    const kept = known?.manifests ?? nothing
    let stamp = "-"
    try {
      const { ino, mtimeMs, size } = statSync(path)
      stamp = `${mtimeMs}/${size}/${ino}`
      if (stamp === known?.stamp) return known
      if (size > FILE_BYTES_MAX) throw new ManifestInvalid(`larger than ${FILE_BYTES_MAX} bytes`)
      const manifests = parseManifests(readFileSync(path, "utf8"))
      if (manifests instanceof ManifestInvalid) throw manifests
      return { stamp, manifests }
    } catch (error) {
      if (known?.stamp !== stamp)
        this.#options.onProblem(path, error instanceof Error ? error.message : "cannot be read")
      return { stamp, manifests: kept }
    }
  }

  /** Tells the store what differs from what it was told. */
  #tell(): void {
    const { store } = this.#options
    const manifests = [...this.#files.values()].map((file) => file.manifests)
    const secrets = new Map<string, { readonly place: SecretPlace; readonly text: string }>()
    for (const secret of manifests.flatMap((one) => one.secrets)) {
      const place = { namespace: secret.metadata.namespace ?? "default", name: secret.metadata.name ?? "" }
      const text = JSON.stringify(secret)
      secrets.set(secretKey(place), { place, text })
      if (this.#secrets.get(secretKey(place))?.text !== text)
        store.putSecret({ ...secret, metadata: { ...secret.metadata, namespace: place.namespace } })
    }
    for (const [key, { place }] of this.#secrets) if (!secrets.has(key)) store.removeSecret(place)
    this.#secrets = secrets
    this.#tellClusters(manifests.flatMap((one) => one.clusters))
  }

  #tellClusters(written: ReadonlyArray<KubeObject>): void {
    const { onProblem, store } = this.#options
    const clusters = new Map<string, KnownCluster>()
    for (const cluster of written) {
      const name = (cluster.metadata.name ?? "").toLowerCase()
      if (clusters.has(name)) {
        onProblem(this.#options.folder, `UpstreamCluster ${name} is there twice; the first counts`)
        continue
      }
      const text = JSON.stringify(cluster)
      const known = this.#clusters.get(name)
      const generation = known === undefined ? 1 : known.text === text ? known.generation : known.generation + 1
      clusters.set(name, { text, generation })
      if (known?.text !== text)
        store.put({ ...cluster, metadata: { ...cluster.metadata, name, uid: name, generation } })
    }
    for (const name of this.#clusters.keys()) if (!clusters.has(name)) store.remove(name)
    this.#clusters = clusters
  }
}

/** Whether a path leads to a folder. */
export const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

/** Follows the manifests of a folder into a store, until it is stopped. */
export const followFolder = (options: FolderOptions): ConfigSource => new FolderSource(options)
