// A workload's parameters put in their places: what operations of a template are for one workload.
// Owns the order of `count` and `countParam`, multipliers and defaults after `|`; refuses unknown names with the field that asks.
import { Schema } from "effect"
import { parse } from "yaml"
import { parseGoDuration } from "#sim"
import type { CreatePods, PerfOperation } from "./PerfOperation.ts"

/** A workload that cannot be run as it stands; `message` names the workload, the field and the rule. */
export class PerfWorkloadInvalid extends Schema.TaggedError<PerfWorkloadInvalid>()("PerfWorkloadInvalid", {
  message: Schema.String
}) {}

/** Parameters of one workload. */
export class PerfParams {
  readonly workload: string
  private readonly values: Readonly<Record<string, unknown>>
  private readonly used = new Set<string>()

  constructor(workload: string, values: Readonly<Record<string, unknown>>) {
    this.workload = workload
    this.values = values
  }

  /** Names that no operation asked for: most likely a slip of the pen. */
  get unused(): ReadonlyArray<string> {
    return Object.keys(this.values).filter((name) => !this.used.has(name))
  }

  private value(field: string, param: string): unknown {
    const name = param.slice(1)
    if (!(name in this.values)) this.fail(field, `names ${param}, which the workload does not have`)
    this.used.add(name)
    return this.values[name]
  }

  private fail(field: string, rule: string): never {
    throw new PerfWorkloadInvalid({ message: `workload ${this.workload}: ${field} ${rule}` })
  }

  /** A number of things: the parameter before the literal; `standard` when neither is there. */
  count(given: { readonly count?: number; readonly countParam?: string }, standard?: number): number {
    if (given.countParam !== undefined) return this.whole("countParam", given.countParam)
    return given.count ?? standard ?? this.fail("count", "is missing, and so is countParam")
  }

  whole(field: string, param: string): number {
    const value = this.value(field, param)
    if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value
    return this.fail(field, `${param} must be a whole number, not negative`)
  }

  flag(field: string, param: string): boolean {
    const value = this.value(field, param)
    return typeof value === "boolean" ? value : this.fail(field, `${param} must be true or false`)
  }

  /** Milliseconds, from a duration in Go's form. */
  durationMs(given: { readonly duration?: string; readonly durationParam?: string }): number {
    const { durationParam } = given
    const text = durationParam === undefined ? given.duration : String(this.value("durationParam", durationParam))
    if (text === undefined) return 0
    return parseGoDuration(text) ?? this.fail("duration", `${text} is no duration, like 10s`)
  }

  /** Values of a template: those that begin with `$` are parameters, with `|` a default in YAML after them. */
  template(params: Readonly<Record<string, unknown>> | undefined): Readonly<Record<string, unknown>> {
    const entries = Object.entries(params ?? {}).map(([name, value]) => {
      if (typeof value !== "string" || !value.startsWith("$")) return [name, value]
      const [param = "", ...rest] = value.split("|")
      if (rest.length === 0 || param.slice(1) in this.values) return [name, this.value(`templateParams.${name}`, param)]
      return [name, parse(rest.join("|")) as unknown]
    })
    return Object.fromEntries(entries) as Record<string, unknown>
  }
}

/** How many pods an operation makes and how. */
export interface PodsPlan {
  readonly count: number
  readonly signatureBatchSize: number
  readonly steadyState: boolean
  readonly durationMs: number
  readonly template: Readonly<Record<string, unknown>>
}

/** Parameters of createPods. */
export const podsPlan = (operation: CreatePods, params: PerfParams): PodsPlan => {
  const { countMultiplierParam, signatureBatchSizeParam, steadyStateParam } = operation
  const times = countMultiplierParam === undefined ? 1 : params.whole("countMultiplierParam", countMultiplierParam)
  const batch =
    signatureBatchSizeParam === undefined
      ? (operation.signatureBatchSize ?? 1)
      : params.whole("signatureBatchSizeParam", signatureBatchSizeParam)
  return {
    count: params.count(operation) * times,
    signatureBatchSize: Math.max(1, batch),
    steadyState:
      steadyStateParam === undefined
        ? operation.steadyState === true
        : params.flag("steadyStateParam", steadyStateParam),
    durationMs: params.durationMs(operation),
    template: params.template(operation.templateParams)
  }
}

/** Why a workload cannot run here; undefined when it can. */
export const unsupported = (operations: ReadonlyArray<PerfOperation>): string | undefined => {
  for (const { opcode } of operations) {
    if (opcode === "createPodGroups") return "createPodGroups needs the Workload API (alpha), which is not served"
    if (opcode === "allocResourceClaims")
      return "allocResourceClaims needs dynamic resource allocation, which is not scheduled"
  }
  return undefined
}
