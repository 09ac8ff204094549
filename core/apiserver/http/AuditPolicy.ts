// audit.k8s.io/v1 Policy: which requests are recorded, how fully, and at which stages.
// Owns reading the file and choosing the first rule that matches; refuses to record.
import { Schema } from "effect"
import { parse } from "yaml"
import { isJsonObject, type Json, type JsonObject, type RequestInfo } from "#kube"
import type { UserInfo } from "../Request.ts"

export type AuditLevel = "None" | "Metadata" | "Request" | "RequestResponse"
export type AuditStage = "RequestReceived" | "ResponseStarted" | "ResponseComplete" | "Panic"

interface GroupResources {
  readonly group: string
  readonly resources: ReadonlyArray<string>
  readonly resourceNames: ReadonlyArray<string>
}

interface PolicyRule {
  readonly level: AuditLevel
  readonly users: ReadonlyArray<string>
  readonly userGroups: ReadonlyArray<string>
  readonly verbs: ReadonlyArray<string>
  readonly resources: ReadonlyArray<GroupResources>
  readonly namespaces: ReadonlyArray<string>
  readonly nonResourceURLs: ReadonlyArray<string>
  readonly omitStages: ReadonlyArray<AuditStage>
  readonly omitManagedFields: boolean
}

/** What rules look at. */
export interface AuditSubject {
  readonly info: RequestInfo
  /** Who acts: after impersonation the one impersonated. */
  readonly user: UserInfo
  /** Who asked, where somebody else acts. */
  readonly impersonator: UserInfo | undefined
}

/** What a request is recorded with. */
export interface AuditConfig {
  readonly level: AuditLevel
  readonly omitStages: ReadonlyArray<AuditStage>
  readonly omitManagedFields: boolean
}

/** A policy that cannot be read: which field, and what it must be. */
export class AuditPolicyInvalid extends Schema.TaggedError<AuditPolicyInvalid>()("AuditPolicyInvalid", {
  field: Schema.String,
  rule: Schema.String
}) {
  override get message(): string {
    return `audit policy: ${this.field}: ${this.rule}`
  }
}

const none: AuditConfig = { level: "None", omitStages: [], omitManagedFields: false }

const levels: ReadonlyArray<string> = ["None", "Metadata", "Request", "RequestResponse"]
const stages: ReadonlyArray<string> = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]

class Reader {
  problem: AuditPolicyInvalid | undefined

  fail(field: string, rule: string): void {
    this.problem ??= new AuditPolicyInvalid({ field, rule })
  }

  strings(object: JsonObject, name: string, path: string): ReadonlyArray<string> {
    const value = object[name]
    if (value === undefined || value === null) return []
    if (Array.isArray(value) && value.every((each) => typeof each === "string")) return value
    this.fail(`${path}.${name}`, "must be a list of strings")
    return []
  }

  objects(object: JsonObject, name: string, path: string): ReadonlyArray<JsonObject> {
    const value = object[name]
    if (value === undefined || value === null) return []
    if (Array.isArray(value) && value.every((each: Json) => isJsonObject(each))) return value
    this.fail(`${path}.${name}`, "must be a list of objects")
    return []
  }

  stages(object: JsonObject, path: string): ReadonlyArray<AuditStage> {
    const named = this.strings(object, "omitStages", path)
    const unknown = named.find((stage) => !stages.includes(stage))
    if (unknown !== undefined) this.fail(`${path}.omitStages`, `must be of ${stages.join(", ")}`)
    return named as ReadonlyArray<AuditStage>
  }
}

export class AuditPolicy {
  private readonly rules: ReadonlyArray<PolicyRule>

  constructor(rules: ReadonlyArray<PolicyRule>) {
    this.rules = rules
  }

  /** How a call is recorded: by the first rule that matches, not at all without one. */
  configOf(call: AuditSubject): AuditConfig {
    return this.rules.find((rule) => matches(rule, call)) ?? none
  }
}

/** Reads a policy in YAML or JSON. */
export const parseAuditPolicy = (text: string): AuditPolicy | AuditPolicyInvalid => {
  let root: Json
  try {
    root = parse(text) as Json
  } catch (error) {
    const [line = ""] = error instanceof Error ? error.message.split("\n") : []
    return new AuditPolicyInvalid({ field: "file", rule: `must be YAML: ${line}` })
  }
  const reader = new Reader()
  if (!isJsonObject(root)) return new AuditPolicyInvalid({ field: "file", rule: "must be an object" })
  if (root["apiVersion"] !== "audit.k8s.io/v1") reader.fail("apiVersion", `must be "audit.k8s.io/v1"`)
  if (root["kind"] !== "Policy") reader.fail("kind", `must be "Policy"`)
  const rules = reader.objects(root, "rules", "policy")
  if (rules.length === 0) reader.fail("rules", "must name at least one rule")
  const omitStages = reader.stages(root, "policy")
  const omitManagedFields = root["omitManagedFields"] === true
  const read = rules.map((rule, at) => readRule(reader, rule, { path: `rules[${at}]`, omitStages, omitManagedFields }))
  return reader.problem ?? new AuditPolicy(read)
}

const readRule = (
  reader: Reader,
  rule: JsonObject,
  outer: {
    readonly path: string
    readonly omitStages: ReadonlyArray<AuditStage>
    readonly omitManagedFields: boolean
  }
): PolicyRule => {
  const { path } = outer
  const level = rule["level"]
  if (typeof level !== "string" || !levels.includes(level)) {
    reader.fail(`${path}.level`, `must be one of ${levels.join(", ")}`)
  }
  const own = rule["omitManagedFields"]
  return {
    level: level as AuditLevel,
    users: reader.strings(rule, "users", path),
    userGroups: reader.strings(rule, "userGroups", path),
    verbs: reader.strings(rule, "verbs", path),
    namespaces: reader.strings(rule, "namespaces", path),
    nonResourceURLs: reader.strings(rule, "nonResourceURLs", path),
    resources: reader.objects(rule, "resources", path).map((each, at) => ({
      group: typeof each["group"] === "string" ? each["group"] : "",
      resources: reader.strings(each, "resources", `${path}.resources[${at}]`),
      resourceNames: reader.strings(each, "resourceNames", `${path}.resources[${at}]`)
    })),
    omitStages: [...outer.omitStages, ...reader.stages(rule, path)],
    omitManagedFields: typeof own === "boolean" ? own : outer.omitManagedFields
  }
}

const matches = (rule: PolicyRule, call: AuditSubject): boolean => {
  const { info, user } = call
  if (rule.users.length > 0 && !rule.users.includes(user.name)) return false
  if (rule.userGroups.length > 0 && !user.groups.some((group) => rule.userGroups.includes(group))) return false
  if (rule.verbs.length > 0 && !rule.verbs.includes(info.verb)) return false
  if (rule.namespaces.length > 0 || rule.resources.length > 0) return matchesResource(rule, call)
  if (rule.nonResourceURLs.length === 0) return true
  return !info.isResourceRequest && rule.nonResourceURLs.some((spec) => matchesPath(spec, info.path))
}

const matchesPath = (spec: string, path: string): boolean =>
  spec === "*" || spec === path || (spec.endsWith("*") && path.startsWith(spec.replace(/\*+$/, "")))

const matchesResource = (rule: PolicyRule, { info }: AuditSubject): boolean => {
  if (!info.isResourceRequest) return false
  if (rule.namespaces.length > 0 && !rule.namespaces.includes(info.namespace)) return false
  if (rule.resources.length === 0) return true
  const { apiGroup, name, resource, subresource } = info
  const full = subresource === "" ? resource : `${resource}/${subresource}`
  return rule.resources.some(({ group, resourceNames, resources }) => {
    if (group !== apiGroup && group !== "*") return false
    if (resources.length === 0) return true
    if (resourceNames.length > 0 && !resourceNames.includes(name)) return false
    return resources.some(
      (each) =>
        each === "*" ||
        each === full ||
        (subresource !== "" && each === `*/${subresource}`) ||
        (each.endsWith("/*") && each.slice(0, -2) === resource)
    )
  })
}
