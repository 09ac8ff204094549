// Flow controls: one kind of limit each, local or global.
// Owns KubeGateway's rules about them, and those it forgets (a negative rate, a global limit without a local one of its kind).
import {
  duplicate,
  type Fields,
  fieldsIn,
  forbidden,
  invalid,
  itemsOf,
  type Problems,
  required,
  textOf,
  textsOf
} from "#apiserver"
import type { FlowControl, LimitScope, TokenBucket } from "../config/UpstreamCluster.ts"
import { choiceOr, type Findings, isNegative, numberOr, type PartMemory, secondsOr } from "./Decoding.ts"

const FIELD = "spec.flowControl.flowControlSchemas"

const scopes: Readonly<Record<string, LimitScope>> = {
  "": "Local",
  local: "Local",
  globalAllocate: "GlobalAllocate",
  globalCount: "GlobalCount"
}

const bucketOf = (fields: Fields, path: string, problems: Problems): TokenBucket => {
  const qps = numberOr(fields["qps"], 0)
  const burst = numberOr(fields["burst"], 0)
  if (qps <= 0) problems.push(invalid(`${path}.qps`, qps, "must bigger than 0"))
  else if (burst < qps) problems.push(invalid(`${path}.burst`, burst, "must bigger than qps"))
  return { qps, burst }
}

const inflightOf = (schema: Fields, own: Fields, path: string, problems: Problems): FlowControl["limit"] => {
  isNegative(own, "max", `${path}.maxRequestsInflight`, problems)
  const max = numberOr(own["max"], 0)
  const global = fieldsIn(schema["globalMaxRequestsInflight"])
  const globalMax = global === undefined ? undefined : numberOr(global["max"], 0)
  if (globalMax !== undefined && globalMax < max)
    problems.push(
      invalid(`${path}.globalMaxRequestsInflight.max`, globalMax, "must not be less than maxRequestsInflight.max")
    )
  const longRunning = own["maxLongRunning"]
  return {
    kind: "MaxRequestsInflight",
    max,
    globalMax,
    maxLongRunning: typeof longRunning === "number" ? longRunning : undefined
  }
}

const rateOf = (schema: Fields, own: Fields, path: string, problems: Problems): FlowControl["limit"] => {
  const local = bucketOf(own, `${path}.tokenBucket`, problems)
  const fields = fieldsIn(schema["globalTokenBucket"])
  const field = `${path}.globalTokenBucket`
  const global = fields === undefined ? undefined : bucketOf(fields, field, problems)
  if (global !== undefined && global.qps < local.qps)
    problems.push(invalid(`${field}.qps`, global.qps, "must not be less than tokenBucket.qps"))
  if (global !== undefined && global.burst < local.burst)
    problems.push(invalid(`${field}.burst`, global.burst, "must not be less than tokenBucket.burst"))
  return { kind: "TokenBucket", local, global }
}

const limitOf = (schema: Fields, path: string, problems: Problems): FlowControl["limit"] => {
  const kinds = ["exempt", "maxRequestsInflight", "tokenBucket"].filter((kind) => fieldsIn(schema[kind]) !== undefined)
  for (const kind of kinds.slice(1))
    problems.push(forbidden(`${path}.${kind}`, "may not specify more than 1 flow control configuration"))
  if (kinds.length === 0) problems.push(required(path, "must specify a flow control type configuration"))
  const inflight = fieldsIn(schema["maxRequestsInflight"])
  const rate = fieldsIn(schema["tokenBucket"])
  if (inflight === undefined && fieldsIn(schema["globalMaxRequestsInflight"]) !== undefined)
    problems.push(forbidden(`${path}.globalMaxRequestsInflight`, "needs maxRequestsInflight"))
  if (rate === undefined && fieldsIn(schema["globalTokenBucket"]) !== undefined)
    problems.push(forbidden(`${path}.globalTokenBucket`, "needs tokenBucket"))
  if (inflight !== undefined) return inflightOf(schema, inflight, path, problems)
  return rate === undefined ? { kind: "Exempt" } : rateOf(schema, rate, path, problems)
}

const hasGlobal = ({ limit }: Pick<FlowControl, "limit">): boolean =>
  (limit.kind === "MaxRequestsInflight" && limit.globalMax !== undefined) ||
  (limit.kind === "TokenBucket" && limit.global !== undefined)

const flowControlOf = (schema: Fields, path: string, { problems, warnings }: Findings): FlowControl => {
  const limit = limitOf(schema, path, problems)
  const queue = fieldsIn(schema["queue"])
  const perUser = fieldsIn(schema["perUser"])
  const never = fieldsIn(schema["neverLimited"])
  const scope = scopes[textOf(schema["strategy"])] ?? "Local"
  if (scope !== "Local" && limit.kind !== "Exempt" && !hasGlobal({ limit }))
    warnings.push(`${path}.strategy: without a global limit each gateway counts for itself`)
  if (queue !== undefined && queue["length"] === undefined) problems.push(required(`${path}.queue.length`))
  return {
    name: textOf(schema["name"]),
    limit,
    scope,
    queue:
      queue === undefined
        ? undefined
        : { length: numberOr(queue["length"], 0), timeoutMs: secondsOr(queue["timeoutSeconds"], 5) },
    fairness: choiceOr(schema["fairness"], "None"),
    onLimiterLoss: choiceOr(schema["onLimiterLoss"], "Local"),
    ...(perUser === undefined ? {} : { perUser: bucketOf(perUser, `${path}.perUser`, problems) }),
    ...(never === undefined
      ? {}
      : { neverLimited: { users: textsOf(never["users"]), groups: textsOf(never["groups"]) } })
  }
}

/** spec.flowControl, each control a part of its own: one that did not change is the same object. */
export const decodeFlowControls = (flowControl: Fields, memory: PartMemory): ReadonlyMap<string, FlowControl> => {
  const controls = new Map<string, FlowControl>()
  const { problems } = memory.findings
  for (const [at, schema] of itemsOf(flowControl["flowControlSchemas"]).entries()) {
    const path = `${FIELD}[${at}]`
    const name = textOf(schema["name"])
    if (name === "") problems.push(required(`${path}.name`))
    else if (controls.has(name)) problems.push(duplicate(`${path}.name`, name))
    else
      controls.set(
        name,
        memory.part(`flowControl ${name}`, schema, (findings) => flowControlOf(schema, path, findings))
      )
  }
  return memory.part("flowControls", flowControl, () => controls)
}
