// The objects that loads work on, as the load generator remembers them: how number i is named and where it lies, which were made
// in this run, and what a new one looks like on the wire. Owns names, paths and bodies; sends nothing.
// Bound: 2^20 created objects that a delete may still take.
import { randomness, type Randomness } from "../../Randomness.ts"
import type { FrontObjects, FrontResource } from "../FrontOperation.ts"

const createdMax = 2 ** 20

/** An object, by tenant, namespace and name. */
export interface ObjectPlace {
  readonly pool: FrontObjectPool
  readonly tenant: number
  readonly namespace: number
  readonly name: string
}

/** Random text of that length, which compresses about as badly as real data does. */
const payloadOf = (length: number): string => {
  const random = randomness(length, "payload")
  const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
  return Array.from({ length }, () => letters[random.below(letters.length)]).join("")
}

const metadata = (name: string, namespace: string, payload: string): string =>
  `"metadata":{"name":"${name}","namespace":"${namespace}","labels":{"app":"wharf-load"},"annotations":{"wharf.test/stamp":"STAMP"${payload === "" ? "" : `,"wharf.test/payload":"${payload}"`}}}`

/** JSON of an object with NAME, NAMESPACE and STAMP to be put in. */
const documents: Readonly<Record<FrontResource, (payload: string) => string>> = {
  configmaps: (payload) =>
    `{"apiVersion":"v1","kind":"ConfigMap",${metadata("NAME", "NAMESPACE", "")},"data":{"payload":"${payload}"}}`,
  secrets: (payload) =>
    `{"apiVersion":"v1","kind":"Secret",${metadata("NAME", "NAMESPACE", "")},"stringData":{"payload":"${payload}"}}`,
  pods: (payload) =>
    `{"apiVersion":"v1","kind":"Pod",${metadata("NAME", "NAMESPACE", payload)},"spec":{"containers":[{"name":"app","image":"registry.test/app:1"}],"terminationGracePeriodSeconds":0}}`
}

/** Bytes of the smallest object of each resource, about. */
const frameBytes: Readonly<Record<FrontResource, number>> = { configmaps: 200, secrets: 210, pods: 300 }

/** One kind of objects. */
export class FrontObjectPool {
  readonly index: number
  readonly objects: FrontObjects
  readonly tenants: number
  readonly #namespaceOf: (tenant: number, namespace: number) => string
  readonly #template: ReadonlyArray<string>
  /** By tenant. */
  readonly #created: ReadonlyArray<Array<ObjectPlace>>
  #createdCount = 0
  #made = 0
  #stamps = 0

  constructor(
    index: number,
    objects: FrontObjects,
    tenants: number,
    namespaceOf: (tenant: number, namespace: number) => string
  ) {
    this.index = index
    this.objects = objects
    this.tenants = Math.max(1, tenants)
    this.#created = Array.from({ length: this.tenants }, () => [])
    this.#namespaceOf = namespaceOf
    const payload = payloadOf(Math.max(0, objects.bytes - frameBytes[objects.resource]))
    this.#template = documents[objects.resource](payload).split(/NAMESPACE|NAME|STAMP/)
  }

  /** Number `index` of a tenant's objects that are there from the start. */
  preset(tenant: number, index: number): ObjectPlace {
    return { pool: this, tenant, namespace: index % this.objects.namespaces, name: `o-${index}` }
  }

  pick(random: Randomness, tenant: number): ObjectPlace {
    return this.preset(tenant, random.below(this.objects.count))
  }

  /** Names a new object. */
  name(tenant: number): ObjectPlace {
    const number = this.#made++
    return { pool: this, tenant, namespace: number % this.objects.namespaces, name: `c-${number}` }
  }

  /** Remembers that a new object is there. */
  created(place: ObjectPlace): void {
    if (this.#createdCount >= createdMax) return
    this.#createdCount++
    this.#created[place.tenant].push(place)
  }

  /** Takes the newest object of the run and that tenant away; undefined when there is none. */
  takeCreated(tenant: number): ObjectPlace | undefined {
    const place = this.#created[tenant].pop()
    if (place !== undefined) this.#createdCount--
    return place
  }

  /** Path of a namespace's collection, or of all together. */
  collection(tenant: number, namespace: number | undefined): string {
    const { resource } = this.objects
    if (namespace === undefined) return `/api/v1/${resource}`
    return `/api/v1/namespaces/${this.#namespaceOf(tenant, namespace)}/${resource}`
  }

  path({ name, namespace, tenant }: ObjectPlace): string {
    return `${this.collection(tenant, namespace)}/${name}`
  }

  /** An object's JSON; each differs from every other in an annotation. */
  body({ name, namespace, tenant }: ObjectPlace): Buffer {
    const [first, second, third, ...rest] = this.#template
    return Buffer.from(
      `${first}${name}${second}${this.#namespaceOf(tenant, namespace)}${third}${++this.#stamps}${rest.join("")}`
    )
  }

  /** A merge patch that changes an annotation. */
  patch(): Buffer {
    return Buffer.from(`{"metadata":{"annotations":{"wharf.test/stamp":"${++this.#stamps}"}}}`)
  }

  /** Number of a namespace among those of all tenants. */
  namespaceNumber({ namespace, tenant }: ObjectPlace): number {
    return tenant * this.objects.namespaces + namespace
  }
}
