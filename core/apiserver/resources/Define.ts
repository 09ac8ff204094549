// Joins what the generated tables know of a kind (names, verbs, schema) with how it behaves here.
// Owns what kinds share: metadata rules, status that only its subresource may set; refuses any kind's own behaviour.
import {
  type ApiFailure,
  type BuiltInResource,
  builtInResources,
  Failures,
  type FieldProblem,
  fillDefaults,
  type KubeObject,
  type Schema,
  schemaOfKind
} from "#kube"
import type { Action, Column, Definition, Draft, Strategy, StrategyContext, Subresource } from "../Definition.ts"
import type { Verb } from "../Request.ts"
import { ageColumn, nameColumn } from "./Columns.ts"
import { checkName, type NameRule, subdomainName } from "./Meta.ts"
import type { Problems } from "./Problems.ts"

/** How a kind behaves; all parts are optional. */
export interface Behaviour {
  /** The rule of metadata.name; by default a DNS subdomain. */
  readonly name?: NameRule
  readonly defaults?: (draft: Draft) => void
  readonly prepareForCreate?: NonNullable<Strategy["prepareForCreate"]>
  readonly prepareForUpdate?: NonNullable<Strategy["prepareForUpdate"]>
  /** Checks all but metadata, on create and on update. */
  readonly check?: (object: KubeObject, problems: Problems) => void
  /** Checks what may change, on update. */
  readonly checkUpdate?: (object: KubeObject, old: KubeObject, problems: Problems) => void
  /** Fields that raise the generation; by default none, whatever subresources there are. */
  readonly generation?: ReadonlyArray<string>
  /** The rest of the strategy as it is. */
  readonly strategy?: Pick<
    Strategy,
    | "warnings"
    | "graceSeconds"
    | "defaultPropagation"
    | "createOnUpdate"
    | "validateDelete"
    | "prepareForDelete"
    | "heldBack"
    | "returnsDeleted"
    | "unconditionalUpdate"
    | "refreshes"
    | "deleted"
  >
  /** The status of a new object; by default what the schema says. */
  readonly initialStatus?: (draft: Draft) => Draft["status"]
  /** The status subresource's own rules. */
  readonly status?: {
    /** Whether an update of the status leaves all metadata as it is; by default it may change labels, annotations and the like. */
    readonly keepsMetadata?: boolean
    readonly defaults?: (draft: Draft) => void
    readonly prepare?: NonNullable<Strategy["prepareForUpdate"]>
    readonly check?: (object: KubeObject, old: KubeObject, problems: Problems) => void
  }
  readonly columns?: ReadonlyArray<Column>
  readonly selectableFields?: Definition["selectableFields"]
  readonly subresources?: Readonly<Record<string, Subresource>>
  /** What every answer warns of when the resource is out of use. */
  readonly deprecated?: string
  /** Where it is not stored under "/registry/<resource>/" in its own version. */
  readonly storage?: Partial<NonNullable<Definition["storage"]>>
}

const facts = new Map<string, BuiltInResource>()

const factsOf = (group: string, version: string, kind: string): BuiltInResource => {
  if (facts.size === 0) {
    for (const one of builtInResources()) facts.set(`${one.group}/${one.version}/${one.kind}`, one)
  }
  const found = facts.get(`${group}/${version}/${kind}`)
  if (found === undefined) throw new Error(`the tables hold no kind ${group}/${version} ${kind}`)
  return found
}

const collected = (check: (problems: Problems) => void): ReadonlyArray<FieldProblem> => {
  const problems: Problems = []
  check(problems)
  return problems
}

const setStatus = (draft: Draft, status: unknown): void => {
  // SAFETY: what is undefined is absent for all who read objects; assigning it keeps the draft's shape.
  draft.status = status as NonNullable<Draft["status"]>
}

/** The status that the schema gives a new object; undefined where it gives none. */
const statusOfSchema = (schema: Schema): unknown => {
  const status = schema.fields?.get("status")
  return status?.default === undefined ? undefined : fillDefaults(status, status.default)
}

const prepareForCreate = (behaviour: Behaviour, schema: Schema, hasStatus: boolean) => {
  const fresh = statusOfSchema(schema)
  return (draft: Draft, context: StrategyContext): ApiFailure | undefined => {
    if (hasStatus) setStatus(draft, behaviour.initialStatus === undefined ? fresh : behaviour.initialStatus(draft))
    return behaviour.prepareForCreate?.(draft, context)
  }
}

/** An update that asked for no version is of the one that it replaces: rules tell new objects by their lack of one. */
const keepVersion = (draft: Draft, old: KubeObject): void => {
  const { resourceVersion } = old.metadata
  if ((draft.metadata.resourceVersion ?? "") === "" && resourceVersion !== undefined) {
    draft.metadata.resourceVersion = resourceVersion
  }
}

const prepareForUpdate =
  (behaviour: Behaviour, hasStatus: boolean) =>
  (draft: Draft, old: KubeObject, context: StrategyContext): ApiFailure | undefined => {
    keepVersion(draft, old)
    if (hasStatus) setStatus(draft, old.status)
    return behaviour.prepareForUpdate?.(draft, old, context)
  }

const strategyOf = (behaviour: Behaviour, schema: Schema, hasStatus: boolean): Strategy => {
  const { check, checkUpdate, generation, name = subdomainName, strategy } = behaviour
  return {
    ...strategy,
    ...(behaviour.defaults === undefined ? {} : { defaults: behaviour.defaults }),
    prepareForCreate: prepareForCreate(behaviour, schema, hasStatus),
    prepareForUpdate: prepareForUpdate(behaviour, hasStatus),
    validate: (object) =>
      collected((problems) => {
        // An object that has a version was admitted before, and its name cannot change.
        if (object.metadata.resourceVersion === undefined) checkName(object, name, problems)
        check?.(object, problems)
      }),
    ...(checkUpdate === undefined
      ? {}
      : { validateUpdate: (object, old) => collected((problems) => checkUpdate(object, old, problems)) }),
    generationFields: generation ?? []
  }
}

const statusStrategy = ({ status }: Behaviour): Strategy => {
  const check = status?.check
  return {
    ...(status?.defaults === undefined ? {} : { defaults: status.defaults }),
    ...(status?.prepare === undefined ? {} : { prepareForUpdate: status.prepare }),
    ...(check === undefined
      ? {}
      : { validateUpdate: (object, old) => collected((problems) => check(object, old, problems)) }),
    generationFields: []
  }
}

// Streams are opened by the HTTP front before an action would run: what arrives here came by another way.
const onlyOverHttp: Action = (_context, { resource, subresource }, done) =>
  done(Failures.badRequest(`${resource.resource}/${subresource} is a stream: it is opened over HTTP`))

const subresourcesOf = (found: BuiltInResource, behaviour: Behaviour): ReadonlyMap<string, Subresource> => {
  const subresources = new Map<string, Subresource>()
  for (const { group, kind, name, verbs, version } of found.subresources) {
    const own = behaviour.subresources?.[name]
    if (own !== undefined) subresources.set(name, own)
    else if (name === "status") {
      const keeps = behaviour.status?.keepsMetadata === true ? { keepsMetadata: true } : {}
      subresources.set(name, { type: "status", strategy: statusStrategy(behaviour), ...keeps })
    } else {
      const kinds = { group, version, kind }
      subresources.set(name, { type: "action", kind: kinds, verbs: verbs as ReadonlyArray<Verb>, run: onlyOverHttp })
    }
  }
  for (const name in behaviour.subresources) {
    const own = behaviour.subresources[name]
    if (own?.type === "part" && own.hidden === true) subresources.set(name, own)
  }
  return subresources
}

/** The definition of a built-in kind: the tables' facts and this behaviour. */
export const define = (group: string, version: string, kind: string, behaviour: Behaviour = {}): Definition => {
  const found = factsOf(group, version, kind)
  const schema = schemaOfKind(group, version, kind)
  if (schema === undefined) throw new Error(`the tables hold no schema of ${group}/${version} ${kind}`)
  const subresources = subresourcesOf(found, behaviour)
  return {
    group,
    version,
    kind,
    listKind: `${kind}List`,
    resource: found.resource,
    singular: found.singular,
    shortNames: found.shortNames,
    categories: found.categories,
    namespaced: found.namespaced,
    verbs: found.verbs as ReadonlyArray<Verb>,
    schema,
    strategy: strategyOf(behaviour, schema, subresources.has("status")),
    columns: behaviour.columns ?? [nameColumn, ageColumn],
    selectableFields: behaviour.selectableFields ?? {},
    subresources,
    ...(behaviour.deprecated === undefined ? {} : { deprecated: behaviour.deprecated }),
    storage: { prefix: `/registry/${found.resource}/`, group, version, ...behaviour.storage }
  }
}

/** A strategy for a part of an object, such as `approval`: its own preparation and rules. */
export const partStrategy = (
  prepare: NonNullable<Strategy["prepareForUpdate"]>,
  check: (object: KubeObject, old: KubeObject, problems: Problems) => void,
  options: { readonly defaults?: (draft: Draft) => void; readonly generation?: ReadonlyArray<string> } = {}
): Strategy => ({
  ...(options.defaults === undefined ? {} : { defaults: options.defaults }),
  prepareForUpdate: (draft, old, context) => {
    keepVersion(draft, old)
    return prepare(draft, old, context)
  },
  validateUpdate: (object, old) => collected((problems) => check(object, old, problems)),
  generationFields: options.generation ?? []
})
