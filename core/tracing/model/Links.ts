// The links that an object's content names, as facts at both ends: a rule's, the parent-link annotation's and the traceparent
// annotation's. Owns their finding and their ids; refuses to know whether the other end exists, which its own facts show.
import { isJsonObject, type Json, type JsonObject, parseApiVersion } from "#kube"
import { type LinkFact, MadeLink } from "./Fact.ts"
import { idOf } from "./Ids.ts"
import type { Kinds } from "./Kinds.ts"
import type { LinkRule } from "./LinkRules.ts"
import { type ObjectKey, objectText, parseObjectText, sameObject, windowStartUs } from "./ObjectKey.ts"
import { type Pick, picksOf } from "./Picks.ts"

/** The original's annotation: JSON of one parent. */
export const PARENT_LINK = "kelemetry.kubewharf.io/parent-link"
/** The annotation of Kubernetes' enhancement 5915: a W3C traceparent. */
export const TRACEPARENT = "tracing.k8s.io/traceparent"
/** Links taken from one version of an object; the rest are left out. */
export const LINKS_MAX = 1000

/** Pairs of link facts that are kept for the next version of the same objects, and objects whose last ones are. */
const MADE_MAX = 65_536

/** Resources whose fields are remembered; there are no more in a cluster. */
const PICKED_MAX = 10_000

/** The end of a link that an object names. */
interface Named {
  readonly class: string
  readonly role: "parent" | "child"
  readonly other: ObjectKey
  readonly otherUid: string
}

/** What an object's links were found in last, and the facts that it was. */
interface Last {
  readonly uid: string
  readonly startUs: number
  readonly values: ReadonlyArray<Json>
  readonly facts: ReadonlyArray<LinkFact>
}

/** Texts are compared, other values must be the very same: who reads bytes hands out one value for the same bytes. */
const sameValues = (a: ReadonlyArray<Json>, b: ReadonlyArray<Json>): boolean => {
  if (a.length !== b.length) return false
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false
  return true
}

type Step = string | typeof EVERY
const EVERY = Symbol("every item")

interface Compiled {
  readonly rule: LinkRule
  readonly steps: ReadonlyArray<Step>
}

const compile = (rule: LinkRule): Compiled => {
  const path = "name" in rule ? rule.name : "reference" in rule ? rule.reference : ""
  const steps = Array.from(path.matchAll(/\[\*\]|\["([^"]+)"\]|([A-Za-z_][\w-]*)/g), ([whole, quoted, field]) =>
    whole === "[*]" ? EVERY : (quoted ?? field)
  )
  return { rule, steps }
}

const walk = (value: Json | undefined, steps: ReadonlyArray<Step>, at: number, found: (value: Json) => void): void => {
  if (value === undefined || value === null) return
  const step = steps[at]
  if (step === undefined) found(value)
  else if (typeof step === "symbol") {
    if (Array.isArray(value)) for (const item of value) walk(item, steps, at + 1, found)
  } else if (isJsonObject(value)) walk(value[step], steps, at + 1, found)
}

const text = (value: Json | undefined): string => (typeof value === "string" ? value : "")

export class Links {
  private readonly kinds: Kinds
  private readonly windowSeconds: number
  private readonly owners: Extract<LinkRule, { readonly owners: true }> | undefined
  private readonly byResource = new Map<string, Array<Compiled>>()
  private readonly made = new Map<string, ReadonlyArray<LinkFact>>()
  private readonly last = new Map<string, Last>()
  private readonly values: Array<Json> = []
  private kindsCount = 0
  private readonly picked = new Map<string, ReadonlyArray<Pick> | undefined>()

  constructor(rules: ReadonlyArray<LinkRule>, kinds: Kinds, windowSeconds: number) {
    this.kinds = kinds
    this.windowSeconds = windowSeconds
    for (const rule of rules) {
      if ("owners" in rule) {
        this.owners = rule
        continue
      }
      const resource = `${rule.from.group}/${rule.from.resource}`
      const known = this.byResource.get(resource)
      if (known === undefined) this.byResource.set(resource, [compile(rule)])
      else known.push(compile(rule))
    }
  }

  /**
   * What links are found in beside an object's owners, labels and annotations of their own; undefined when a rule reads more of the
   * metadata, so that all of the object is needed.
   */
  picks(group: string, resource: string): ReadonlyArray<Pick> | undefined {
    const key = `${group}/${resource}`
    if (this.picked.has(key)) return this.picked.get(key)
    const paths = (this.byResource.get(key) ?? [])
      .map(({ steps }) => steps.filter((step) => typeof step === "string"))
      .filter(([first, second]) => first !== "metadata" || second !== "labels")
    const picks = paths.some(([first]) => first === "metadata") ? undefined : picksOf(paths)
    if (this.picked.size >= PICKED_MAX) this.picked.clear()
    this.picked.set(key, picks)
    return picks
  }

  /** Facts for both ends of every link that this version of an object names, in the window of a time. */
  of(object: JsonObject, key: ObjectKey, uid: string, atUs: number): ReadonlyArray<LinkFact> {
    const startUs = windowStartUs(atUs, this.windowSeconds)
    const values = this.valuesIn(object, key)
    if (this.kindsCount !== this.kinds.count) {
      // What was guessed may be known by now.
      this.kindsCount = this.kinds.count
      this.last.clear()
    }
    const name = objectText(key)
    const last = this.last.get(name)
    if (last !== undefined && last.uid === uid && last.startUs === startUs && sameValues(last.values, values)) {
      return last.facts
    }
    const facts = this.find(object, key, uid, atUs)
    if (this.last.size >= MADE_MAX) this.last.clear()
    this.last.set(name, { uid, startUs, values: [...values], facts })
    return facts
  }

  /** Everything of an object that links are found in; valid until the next call. */
  private valuesIn(object: JsonObject, { group, resource }: ObjectKey): ReadonlyArray<Json> {
    const { values } = this
    values.length = 0
    const metadata = object["metadata"]
    if (isJsonObject(metadata)) {
      const annotations = metadata["annotations"]
      const told = isJsonObject(annotations) ? annotations : undefined
      values.push(metadata["ownerReferences"] ?? null, told?.[PARENT_LINK] ?? null, told?.[TRACEPARENT] ?? null)
    }
    for (const { steps } of this.byResource.get(`${group}/${resource}`) ?? []) {
      values.push(null)
      walk(object, steps, 0, this.keepValue)
    }
    return values
  }

  private readonly keepValue = (value: Json): void => void this.values.push(value)

  private find(object: JsonObject, key: ObjectKey, uid: string, atUs: number): ReadonlyArray<LinkFact> {
    const named: Array<Named> = []
    const metadata = object["metadata"]
    if (isJsonObject(metadata)) {
      this.addOwners(metadata["ownerReferences"], key, named)
      const annotations = metadata["annotations"]
      if (isJsonObject(annotations)) addAnnotated(text(annotations[PARENT_LINK]), key, named)
    }
    for (const compiled of this.byResource.get(`${key.group}/${key.resource}`) ?? []) {
      walk(object, compiled.steps, 0, (value) => this.addNamed(compiled.rule, value, key, named))
    }
    const facts = named
      .slice(0, LINKS_MAX)
      .filter(({ other }) => other.name !== "" && !sameObject(other, key))
      .flatMap((found) => this.ends(key, uid, found, atUs))
    const remote = remoteOf(metadata)
    return remote === undefined ? facts : [...facts, this.remoteFact(key, uid, atUs, remote)]
  }

  /** Facts for both ends of one link. */
  between(key: ObjectKey, uid: string, found: Named, atUs: number): ReadonlyArray<LinkFact> {
    return this.ends(key, uid, found, atUs)
  }

  /** The object that a reference with kind and name stands for, as seen from `from`; undefined when it names none. */
  referred(reference: Json | undefined, from: ObjectKey): ObjectKey | undefined {
    if (!isJsonObject(reference)) return undefined
    const kind = text(reference["kind"])
    const name = text(reference["name"])
    if (kind === "" || name === "") return undefined
    const { group } = parseApiVersion(text(reference["apiVersion"]))
    const known = this.kinds.of(group, kind)
    const given = text(reference["namespace"])
    const namespace = known.namespaced === false ? "" : given === "" ? from.namespace : given
    return { cluster: from.cluster, group, resource: known.resource, namespace, name }
  }

  private addOwners(references: Json | undefined, key: ObjectKey, named: Array<Named>): void {
    if (this.owners === undefined || !Array.isArray(references)) return
    for (const reference of references as ReadonlyArray<Json>) {
      const other = this.referred(reference, key)
      if (other === undefined || !isJsonObject(reference)) continue
      const className = reference["controller"] === true ? this.owners.class : this.owners.otherClass
      named.push({ class: className, role: "parent", other, otherUid: text(reference["uid"]) })
    }
  }

  private addNamed(rule: LinkRule, value: Json, key: ObjectKey, named: Array<Named>): void {
    if ("owners" in rule) return
    if ("reference" in rule) {
      const other = this.referred(value, key)
      if (other === undefined || !isJsonObject(value)) return
      named.push({ class: rule.class, role: rule.role, other, otherUid: text(value["uid"]) })
      return
    }
    const namespace = rule.namespace === "same" ? key.namespace : ""
    const other = { cluster: key.cluster, ...rule.target, namespace, name: text(value) }
    named.push({ class: rule.class, role: rule.role, other, otherUid: "" })
  }

  /** An object names the same others again and again: what was made for a pair in a window is made once. */
  private ends(key: ObjectKey, uid: string, found: Named, atUs: number): ReadonlyArray<LinkFact> {
    const start = windowStartUs(atUs, this.windowSeconds)
    const pair = `${start}\n${objectText(key)}\n${uid}\n${objectText(found.other)}\n${found.otherUid}\n${found.class}\n${found.role}`
    const known = this.made.get(pair)
    if (known !== undefined) return known
    const made = this.makeEnds(key, uid, found, start)
    if (this.made.size >= MADE_MAX) this.made.clear()
    this.made.set(pair, made)
    return made
  }

  private makeEnds(key: ObjectKey, uid: string, found: Named, start: number): ReadonlyArray<LinkFact> {
    const { class: name, other, otherUid, role } = found
    const back = role === "parent" ? "child" : "parent"
    return [
      this.fact(key, uid, { class: name, role, other, otherUid }, start),
      this.fact(other, otherUid, { class: name, role: back, other: key, otherUid: uid }, start)
    ]
  }

  private fact(object: ObjectKey, uid: string, end: Named, atUs: number): LinkFact {
    const window = `${this.windowSeconds} ${atUs}`
    const id = idOf("link", window, objectText(object), uid, objectText(end.other), end.otherUid, end.role, end.class)
    return new MadeLink({ id, object, uid, atUs, ...end, remote: undefined })
  }

  private remoteFact(key: ObjectKey, uid: string, atUs: number, remote: NonNullable<LinkFact["remote"]>): LinkFact {
    const start = windowStartUs(atUs, this.windowSeconds)
    const window = `${this.windowSeconds} ${start}`
    const id = idOf("traceparent", window, objectText(key), uid, remote.traceId, remote.spanId)
    const end = { class: "traceparent", role: "parent", other: key, otherUid: uid } as const
    return new MadeLink({ id, object: key, uid, atUs: start, ...end, remote })
  }
}

const addAnnotated = (annotation: string, key: ObjectKey, named: Array<Named>): void => {
  if (annotation === "") return
  const parent = parsed(annotation)
  if (parent === undefined) return
  const { cluster, group, name, namespace, resource, uid } = parent
  const own = text(cluster) === "" ? key.cluster : text(cluster)
  const other = parseObjectText([own, text(group), text(resource), text(namespace), text(name)].join("/"))
  if (other !== undefined) named.push({ class: "", role: "parent", other, otherUid: text(uid) })
}

/** What is no JSON object is nobody's link. */
const parsed = (annotation: string): JsonObject | undefined => {
  try {
    // SAFETY: any JSON value; what is no object is left out.
    const value = JSON.parse(annotation) as Json
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const remoteOf = (metadata: Json | undefined): LinkFact["remote"] => {
  const annotations = isJsonObject(metadata) ? metadata["annotations"] : undefined
  const value = isJsonObject(annotations) ? text(annotations[TRACEPARENT]) : ""
  const match = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/.exec(value)
  return match === null ? undefined : { traceId: match[1], spanId: match[2] }
}
