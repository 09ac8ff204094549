// Which admission policies a request meets: a policy, a binding of it, and the parameters that the binding names.
// Owns the matching of both and the finding of parameters; refuses to evaluate any expression. Source: kubernetes
// apiserver pkg/admission/plugin/policy.
import { type KubeObject, LabelSelector, labelSelectorOf, parseApiVersion } from "#kube"
import type { AdmissionRequest } from "../Access.ts"
import type { Api, ResourceView } from "../Api.ts"
import type { Definition } from "../Definition.ts"
import { fieldsIn, fieldsOf, itemsOf, textOf, textsOf } from "../resources/Fields.ts"
import type { Fields } from "./Plugin.ts"
import { ruleMatches, selectorOf } from "./WebhookMatch.ts"

const GROUP = "admissionregistration.k8s.io"

/** A policy that a request meets by one of its bindings. */
export interface Met {
  readonly policy: KubeObject
  readonly binding: KubeObject
  /** The version of the request's kind that the policy's rules name. */
  readonly definition: Definition
}

/** What a rule of a policy or binding says of a request, as a version of its kind. */
const isNamed = (rule: Fields, admission: AdmissionRequest): boolean => {
  const names = textsOf(rule["resourceNames"])
  const { object, request } = admission
  return names.length === 0 || names.includes(request.name === "" ? (object?.metadata.name ?? "") : request.name)
}

const matchedBy = (rules: ReadonlyArray<Fields>, admission: AdmissionRequest, definition: Definition): boolean =>
  rules.some(
    (rule) =>
      ruleMatches(rule, admission.operation, definition, admission.request.subresource) && isNamed(rule, admission)
  )

/** The policies of one kind, with their bindings. */
export class PolicyMatch {
  private readonly api: Api
  private readonly policies: ResourceView
  private readonly bindings: ResourceView
  private readonly namespaces: ResourceView
  private bound: ReadonlyArray<KubeObject> | undefined

  constructor(api: Api, resource: "validatingadmissionpolicies" | "mutatingadmissionpolicies") {
    this.api = api
    this.policies = api.view(GROUP, resource)
    this.bindings = api.view(GROUP, resource.replace(/policies$/, "policybindings"))
    this.namespaces = api.view("", "namespaces")
    this.bindings.onChange(() => (this.bound = undefined))
  }

  /** All bindings, listed again only when one has changed: every write of the server asks. */
  private all(): ReadonlyArray<KubeObject> {
    return (this.bound ??= this.bindings.list(""))
  }

  get isEmpty(): boolean {
    return this.all().length === 0
  }

  namespaceOf({ definition, request }: AdmissionRequest): KubeObject | undefined {
    return definition.namespaced ? this.namespaces.get("", request.namespace) : undefined
  }

  /** What a request meets, by binding. Configurations of admission themselves are nobody's to stop. */
  meeting(admission: AdmissionRequest): ReadonlyArray<Met> {
    if (admission.definition.group === GROUP) return []
    return this.all().flatMap((binding) => {
      const policy = this.policies.get("", textOf(fieldsOf(binding.spec)["policyName"]))
      if (policy === undefined) return []
      const constraints = fieldsIn(fieldsOf(policy.spec)["matchConstraints"])
      const definition = constraints && this.matched(constraints, admission)
      if (definition === undefined) return []
      const narrowed = fieldsIn(fieldsOf(binding.spec)["matchResources"])
      return narrowed === undefined || this.matched(narrowed, admission) !== undefined
        ? [{ policy, binding, definition }]
        : []
    })
  }

  /** The parameters of a binding; a policy without any has one: nothing. A text says why there are none. */
  parameters({ binding, policy }: Met, admission: AdmissionRequest): ReadonlyArray<KubeObject | undefined> | string {
    const kind = fieldsIn(fieldsOf(policy.spec)["paramKind"])
    const reference = fieldsIn(fieldsOf(binding.spec)["paramRef"])
    if (kind === undefined || reference === undefined) return [undefined]
    const { group, version } = parseApiVersion(textOf(kind["apiVersion"]))
    const definition = this.api.definitions.byKind(group, version, textOf(kind["kind"]))
    if (definition === undefined)
      return `failed to find resource referenced by paramKind: '${group}/${version}, Kind=${textOf(kind["kind"])}'`
    const view = this.api.view(definition.group, definition.resource)
    const namespace = definition.namespaced ? textOf(reference["namespace"]) || admission.request.namespace : ""
    const found = foundBy(view, namespace, reference)
    if (found.length > 0) return found
    return reference["parameterNotFoundAction"] === "Allow"
      ? []
      : "no params found for policy binding with `Deny` parameterNotFoundAction"
  }

  private matched(constraints: Fields, admission: AdmissionRequest): Definition | undefined {
    const rules = itemsOf(constraints["resourceRules"])
    const excluded = itemsOf(constraints["excludeResourceRules"])
    const { definition } = admission
    if (!this.isSelected(constraints, admission) || matchedBy(excluded, admission, definition)) return undefined
    if (rules.length === 0 || matchedBy(rules, admission, definition)) return definition
    if (constraints["matchPolicy"] === "Exact" || definition.storage === undefined) return undefined
    const { prefix } = definition.storage
    return this.api.definitions
      .all()
      .find((one) => one !== definition && one.storage?.prefix === prefix && matchedBy(rules, admission, one))
  }

  private isSelected(constraints: Fields, admission: AdmissionRequest): boolean {
    const { definition, object, oldObject } = admission
    const isNamespace = definition.group === "" && definition.resource === "namespaces"
    if (isNamespace || definition.namespaced) {
      const held = isNamespace ? (object ?? oldObject) : this.namespaceOf(admission)
      if (!selectorOf(constraints["namespaceSelector"]).matches(held?.metadata.labels)) return false
    }
    const objects = selectorOf(constraints["objectSelector"])
    return [object, oldObject].some((one) => one !== undefined && objects.matches(one.metadata.labels))
  }
}

const foundBy = (view: ResourceView, namespace: string, reference: Fields): ReadonlyArray<KubeObject> => {
  const name = textOf(reference["name"])
  if (name !== "") {
    const one = view.get(namespace, name)
    return one === undefined ? [] : [one]
  }
  const selector = labelSelectorOf(fieldsIn(reference["selector"]))
  return selector instanceof LabelSelector
    ? view.list(namespace).filter(({ metadata }) => selector.matches(metadata.labels))
    : []
}
