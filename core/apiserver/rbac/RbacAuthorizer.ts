// Decisions by roles and bindings, as the watch caches have them now.
// Owns the memo that makes a repeated decision cost two lookups; refuses the rules' meaning (PolicyRule.ts) and the index.
import type { AccessAttributes, AccessDecision, Authorizer } from "../Access.ts"
import type { Api } from "../Api.ts"
import type { UserInfo } from "../Request.ts"
import { allowsPath, allowsResource, type PolicyRule } from "./PolicyRule.ts"
import { type Grant, RbacIndex, type RoleReference } from "./RbacIndex.ts"

/** Rules of one user in a namespace, in the order in which they are asked, and why some bindings gave none. */
export interface UserRules {
  readonly rules: ReadonlyArray<PolicyRule>
  readonly problems: ReadonlyArray<string>
}

/** Bounds of the memo: at each it is emptied and fills again. */
const MAX_USERS = 32_768
const MAX_NAMESPACES_OF_USER = 1024
const MAX_DECISIONS_OF_SET = 4096

const DENIED: AccessDecision = { allowed: false, reason: "" }

/** What is known of one verb on one resource: allowed for all names, or for some. */
interface Known {
  readonly decision: AccessDecision | undefined
  readonly names: ReadonlyMap<string, AccessDecision> | undefined
}

const NOTHING: Known = { decision: undefined, names: undefined }

/** The rules of one set of grants, with its decisions; users with the same grants share it. */
class RuleSet {
  readonly problems: ReadonlyArray<string>
  readonly granted: ReadonlyArray<{ readonly decision: AccessDecision; readonly rules: ReadonlyArray<PolicyRule> }>
  private readonly known = new Map<string, Known>()

  constructor(index: RbacIndex, grants: ReadonlyArray<Grant>) {
    const problems: Array<string> = []
    this.granted = grants.flatMap(({ namespace, role, source }) => {
      const rules = index.rulesOfRole(role, namespace)
      if (typeof rules !== "string")
        return [{ decision: { allowed: true, reason: `RBAC: allowed by ${source}` }, rules }]
      problems.push(rules)
      return []
    })
    this.problems = problems
  }

  /** The decision that allows; undefined when none of these rules does. */
  decide(key: string, attributes: AccessAttributes): AccessDecision | undefined {
    const known = this.known.get(key) ?? this.learn(key, attributes)
    if (known.decision !== undefined || known.names === undefined || !attributes.resourceRequest) return known.decision
    return known.names.get(attributes.name)
  }

  private learn(key: string, attributes: AccessAttributes): Known {
    const known = this.granted.length === 0 ? NOTHING : this.evaluate(attributes)
    if (this.known.size >= MAX_DECISIONS_OF_SET) this.known.clear()
    this.known.set(key, known)
    return known
  }

  private evaluate(attributes: AccessAttributes): Known {
    let names: Map<string, AccessDecision> | undefined
    for (const { decision, rules } of this.granted) {
      for (const rule of rules) {
        if (!attributes.resourceRequest) {
          if (allowsPath(rule, attributes.verb, attributes.path)) return { decision, names: undefined }
          continue
        }
        const { group, resource, subresource, verb } = attributes
        if (!allowsResource(rule, verb, group, resource, subresource)) continue
        if (rule.resourceNames.length === 0) return { decision, names: undefined }
        names ??= new Map()
        for (const name of rule.resourceNames) if (!names.has(name)) names.set(name, decision)
      }
    }
    return names === undefined ? NOTHING : { decision: undefined, names }
  }
}

/** What a user has: cluster-wide, and in each namespace asked for so far. */
interface UserMemo {
  readonly generation: number
  readonly cluster: RuleSet
  readonly namespaces: Map<string, RuleSet>
}

const shown = (problems: ReadonlyArray<string>): string => {
  const all = [...new Set(problems)]
  return all.length === 1 ? (all[0] ?? "") : `[${all.join(", ")}]`
}

export class RbacAuthorizer implements Authorizer {
  private readonly index: RbacIndex
  private generation = 0
  private readonly byUser = new WeakMap<UserInfo, UserMemo>()
  private readonly byName = new Map<string, UserMemo>()
  private readonly sets = new Map<string, RuleSet>()

  constructor(api: Api) {
    this.index = new RbacIndex(api, () => this.forget())
  }

  authorize(attributes: AccessAttributes): AccessDecision {
    const memo = this.memoOf(attributes.user)
    const key = attributes.resourceRequest
      ? `${attributes.verb} ${attributes.group} ${attributes.resource}/${attributes.subresource}`
      : `${attributes.verb} ${attributes.path}`
    const wide = memo.cluster.decide(key, attributes)
    if (wide !== undefined) return wide
    const namespace = attributes.resourceRequest ? attributes.namespace : ""
    if (namespace === "") return denied(memo.cluster.problems)
    const local = this.inNamespace(memo, attributes.user, namespace)
    const decision = local.decide(key, attributes)
    if (decision !== undefined) return decision
    return local.problems.length === 0 && memo.cluster.problems.length === 0
      ? DENIED
      : denied([...memo.cluster.problems, ...local.problems])
  }

  /** All rules that a user has in a namespace; "" asks for cluster-wide ones only. */
  rulesFor(user: UserInfo, namespace: string): UserRules {
    const memo = this.memoOf(user)
    const sets = namespace === "" ? [memo.cluster] : [memo.cluster, this.inNamespace(memo, user, namespace)]
    return {
      rules: sets.flatMap(({ granted }) => granted.flatMap(({ rules }) => rules)),
      problems: sets.flatMap(({ problems }) => problems)
    }
  }

  /** The rules of a role, or why there are none. */
  rulesOfRole(role: RoleReference, namespace: string): ReadonlyArray<PolicyRule> | string {
    return this.index.rulesOfRole(role, namespace)
  }

  private forget(): void {
    this.generation++
    this.sets.clear()
    this.byName.clear()
  }

  private memoOf(user: UserInfo): UserMemo {
    const held = this.byUser.get(user)
    if (held !== undefined && held.generation === this.generation) return held
    // Users that are made anew for each request (impersonated, from a proxy) are found by what they are.
    const key = `${user.name}\n${user.groups.join("\n")}`
    const memo = this.byName.get(key) ?? {
      generation: this.generation,
      cluster: this.setOf(this.index.grantsOf(user, "")),
      namespaces: new Map()
    }
    if (this.byName.size >= MAX_USERS) this.byName.clear()
    this.byName.set(key, memo)
    this.byUser.set(user, memo)
    return memo
  }

  private inNamespace(memo: UserMemo, user: UserInfo, namespace: string): RuleSet {
    const held = memo.namespaces.get(namespace)
    if (held !== undefined) return held
    const set = this.setOf(this.index.grantsOf(user, namespace))
    if (memo.namespaces.size >= MAX_NAMESPACES_OF_USER) memo.namespaces.clear()
    memo.namespaces.set(namespace, set)
    return set
  }

  private setOf(grants: ReadonlyArray<Grant>): RuleSet {
    const key = grants.map(({ id }) => id).join()
    const held = this.sets.get(key)
    if (held !== undefined) return held
    const set = new RuleSet(this.index, grants)
    if (this.sets.size >= MAX_USERS) this.sets.clear()
    this.sets.set(key, set)
    return set
  }
}

const denied = (problems: ReadonlyArray<string>): AccessDecision =>
  problems.length === 0 ? DENIED : { allowed: false, reason: `RBAC: ${shown(problems)}` }
