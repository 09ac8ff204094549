// Type semantics from configuration: CEL expressions for kinds that the table does not know, or that it knows less well.
// Owns the schema of such an entry and its compilation; refuses an expression that does not compile, naming the field. One that
// fails on an object counts as the convention would have it, and is told to whoever listens.
import { Result, Schema } from "effect"
import { celExpression, CelFailed, type CelExpression, fieldsIn, fieldsOf, itemsOf, textOf } from "#apiserver"
import { isJsonObject, type Json, type JsonObject, type KubeObject } from "#kube"
import { fieldPath, withValueAt } from "./FieldPaths.ts"
import { observedGeneration } from "./MemberStatus.ts"
import { conventionalType, nativeTypes } from "./NativeTypes.ts"
import { podDependencies } from "./Dependencies.ts"
import { always, both } from "./Retention.ts"
import type { Health, HealthState, MemberState, Reference, TypeSemantics } from "./TypeSemantics.ts"

const Path = Schema.String.check(Schema.isPattern(/^[A-Za-z_$][\w$-]*(\.[A-Za-z_$][\w$-]*)*$/))

/** One entry of `typeSemantics:` in the configuration. Variables: `object`; in `status` also `source` and `members`. */
export const ConfiguredType = Schema.Struct({
  group: Schema.String,
  kind: Schema.NonEmptyString,
  replicas: Schema.optionalKey(
    Schema.Struct({
      spec: Path,
      status: Schema.optionalKey(Path),
      ready: Schema.optionalKey(Path),
      available: Schema.optionalKey(Path)
    })
  ),
  /** Where a pod template stands: its references become dependencies. */
  podTemplate: Schema.optionalKey(Path),
  /** "Healthy", "Progressing", "Degraded" or "Unknown", or a bool for the first two. */
  health: Schema.optionalKey(Schema.NonEmptyString),
  collect: Schema.optionalKey(Schema.Array(Path)),
  /** The status of the source; members are `{cluster, object, stale}`. */
  status: Schema.optionalKey(Schema.NonEmptyString),
  /** A list of `{group, kind, namespace, name}`; the group's and namespace's defaults are "" and the object's own. */
  dependencies: Schema.optionalKey(Schema.NonEmptyString),
  /** Fields that the member keeps. */
  retain: Schema.optionalKey(Schema.Array(Path)),
  /** Fields that never leave the host. */
  drop: Schema.optionalKey(Schema.Array(Path))
})
export type ConfiguredType = typeof ConfiguredType.Type

/** Configuration that does not say what it must: the message names the field and the rule. */
export class SemanticsInvalid extends Error {
  readonly _tag = "SemanticsInvalid"
}

/** Hears of an expression that failed on an object. */
export type ExpressionFailed = (kind: string, field: string, message: string) => void

const STATES: ReadonlySet<string> = new Set<HealthState>(["Healthy", "Progressing", "Degraded", "Unknown"])

const compiled = (entry: ConfiguredType, field: "health" | "status" | "dependencies"): CelExpression | undefined => {
  const text = entry[field]
  if (text === undefined) return undefined
  const variables = field === "status" ? ["source", "members"] : ["object"]
  const expression = celExpression(text, variables)
  if (!(expression instanceof CelFailed)) return expression
  const kind = entry.group === "" ? entry.kind : `${entry.kind}.${entry.group}`
  throw new SemanticsInvalid(`typeSemantics of ${kind}: ${field}: ${expression.message}`)
}

type Run = (expression: CelExpression, field: string, variables: Readonly<Record<string, Json | undefined>>) => Json

const healthOf =
  (run: Run, expression: CelExpression, base: TypeSemantics) =>
  (object: JsonObject): Health => {
    const found = run(expression, "health", { object })
    if (typeof found === "boolean") return { state: found ? "Healthy" : "Progressing", message: "" }
    if (typeof found === "string" && STATES.has(found)) return { state: found as HealthState, message: "" }
    return base.health(object)
  }

const stateOf = ({ cluster, object, stale = false }: MemberState): JsonObject => ({
  cluster,
  object: object ?? {},
  stale
})

const aggregateOf =
  (run: Run, expression: CelExpression, base: TypeSemantics): NonNullable<TypeSemantics["aggregate"]> =>
  (input) => {
    const known = input.members.filter(({ object }) => object !== undefined)
    if (known.length === 0) return undefined
    const members = [...known].sort((a, b) => (a.cluster < b.cluster ? -1 : 1)).map(stateOf)
    // SAFETY: objects are JSON all the way down.
    const found = run(expression, "status", { source: input.source as unknown as JsonObject, members })
    if (!isJsonObject(found)) return base.aggregate?.(input)
    return { ...observedGeneration(input), ...found }
  }

const dependenciesOf =
  (run: Run, expression: CelExpression, base: TypeSemantics): TypeSemantics["dependencies"] =>
  (object) => {
    const found = run(expression, "dependencies", { object: object as unknown as JsonObject })
    const named = itemsOf(found).flatMap((item): ReadonlyArray<Reference> => {
      const part = fieldsOf(item)
      const [kind, name] = [textOf(part["kind"]), textOf(part["name"])]
      const namespace = part["namespace"] === undefined ? (object.metadata.namespace ?? "") : textOf(part["namespace"])
      return kind === "" || name === "" ? [] : [{ group: textOf(part["group"]), kind, namespace, name }]
    })
    return [...base.dependencies(object), ...named]
  }

const retainedOf = (entry: ConfiguredType, base: TypeSemantics): TypeSemantics["retain"] =>
  entry.retain === undefined ? base.retain : both(base.retain, always(...entry.retain.map(fieldPath)))

const preparedOf = (entry: ConfiguredType, base: TypeSemantics): TypeSemantics["prepare"] => {
  const dropped = entry.drop?.map(fieldPath)
  if (dropped === undefined) return base.prepare
  return (template, source) =>
    dropped.reduce<KubeObject>((made, path) => withValueAt(made, path, undefined), base.prepare(template, source))
}

/** What an entry says, over what the table or the convention says of its kind. */
const semanticsOf = (entry: ConfiguredType, onFailure: ExpressionFailed): TypeSemantics => {
  const { group, kind } = entry
  const base =
    nativeTypes.find((native) => native.group === group && native.kind === kind) ?? conventionalType(group, kind)
  const run: Run = (expression, field, variables) => {
    const found = expression(variables)
    if (!(found instanceof CelFailed)) return found
    onFailure(kind, field, found.message)
    return null
  }
  const [health, status, dependencies] = [
    compiled(entry, "health"),
    compiled(entry, "status"),
    compiled(entry, "dependencies")
  ]
  const withTemplate =
    entry.podTemplate === undefined
      ? base
      : {
          ...base,
          podTemplate: fieldPath(entry.podTemplate),
          dependencies: podDependencies(fieldPath(entry.podTemplate))
        }
  const replicas = fieldsIn(entry.replicas)
  return {
    ...withTemplate,
    ...(entry.replicas === undefined || replicas === undefined
      ? {}
      : {
          replicas: {
            spec: fieldPath(entry.replicas.spec),
            ...Object.fromEntries(
              (["status", "ready", "available"] as const).flatMap((name) =>
                entry.replicas?.[name] === undefined ? [] : [[name, fieldPath(entry.replicas[name])]]
              )
            )
          }
        }),
    ...(health === undefined ? {} : { health: healthOf(run, health, base) }),
    ...(entry.collect === undefined ? {} : { collected: entry.collect.map(fieldPath) }),
    ...(status === undefined ? {} : { aggregate: aggregateOf(run, status, base) }),
    ...(dependencies === undefined ? {} : { dependencies: dependenciesOf(run, dependencies, withTemplate) }),
    retain: retainedOf(entry, base),
    prepare: preparedOf(entry, base)
  }
}

const decode = Schema.decodeUnknownResult(Schema.Array(ConfiguredType))

/**
 * The entries of a configuration's `typeSemantics`.
 *
 * @throws SemanticsInvalid naming the field that is wrong.
 */
export const configuredTypes = (
  value: unknown,
  onFailure: ExpressionFailed = () => {}
): ReadonlyArray<TypeSemantics> => {
  const decoded = decode(value, { errors: "all", onExcessProperty: "error" })
  if (Result.isFailure(decoded)) throw new SemanticsInvalid(`typeSemantics: ${String(decoded.failure)}`)
  return decoded.success.map((entry) => semanticsOf(entry, onFailure))
}
