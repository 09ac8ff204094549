// Which webhooks want to hear of a request: rules, scope, selectors, and the version in which they want it.
// Owns the matching; refuses calls and answers.
import { LabelSelector, labelSelectorOf, type KubeObject } from "#kube"
import type { AdmissionRequest } from "../Access.ts"
import type { Api, ResourceView } from "../Api.ts"
import type { Definition } from "../Definition.ts"
import { fieldsIn, itemsOf, numberIn, textOf, textsOf } from "../resources/Fields.ts"
import type { Fields } from "./Plugin.ts"

const GROUP = "admissionregistration.k8s.io"
const DEFAULT_TIMEOUT_SECONDS = 10

/** One webhook of a configuration, read once for as long as the configuration stays as it is. */
export interface Hook {
  readonly name: string
  readonly configuration: string
  readonly clientConfig: Fields
  readonly rules: ReadonlyArray<Fields>
  readonly namespaces: LabelSelector
  readonly objects: LabelSelector
  readonly equivalent: boolean
  readonly ignoresFailure: boolean
  readonly timeoutSeconds: number
  /** Whether a dry run may call it. */
  readonly dryRun: boolean
  readonly reinvoked: boolean
  readonly conditions: ReadonlyArray<{ readonly name: string; readonly expression: string }>
}

/** A hook that wants the request, as the definition that its rule names. */
export interface Wanted {
  readonly hook: Hook
  readonly definition: Definition
}

const ALL = new LabelSelector([])

/** By the selector as it is written: an object that is served stays as it is. */
const selectors = new WeakMap<Fields, LabelSelector>()

/** The selector of a configuration; none selects all. */
export const selectorOf = (value: unknown): LabelSelector => {
  const fields = fieldsIn(value)
  if (fields === undefined) return ALL
  let selector = selectors.get(fields)
  if (selector === undefined) {
    const read = Object.keys(fields).length === 0 ? ALL : labelSelectorOf(fields)
    // Validation refuses other selectors at the door.
    selectors.set(fields, (selector = read instanceof LabelSelector ? read : ALL))
  }
  return selector
}

const hookOf = (configuration: KubeObject, hook: Fields): Hook => ({
  name: textOf(hook["name"]),
  configuration: configuration.metadata.name ?? "",
  clientConfig: fieldsIn(hook["clientConfig"]) ?? {},
  rules: itemsOf(hook["rules"]),
  namespaces: selectorOf(hook["namespaceSelector"]),
  objects: selectorOf(hook["objectSelector"]),
  equivalent: hook["matchPolicy"] !== "Exact",
  ignoresFailure: hook["failurePolicy"] === "Ignore",
  timeoutSeconds: numberIn(hook["timeoutSeconds"]) ?? DEFAULT_TIMEOUT_SECONDS,
  dryRun: hook["sideEffects"] === "None" || hook["sideEffects"] === "NoneOnDryRun",
  reinvoked: hook["reinvocationPolicy"] === "IfNeeded",
  conditions: itemsOf(hook["matchConditions"]).map(({ expression, name }) => ({
    name: textOf(name),
    expression: textOf(expression)
  }))
})

const hasOrAll = (list: ReadonlyArray<string>, wanted: string): boolean => list.includes("*") || list.includes(wanted)

const resourceMatches = (resources: ReadonlyArray<string>, resource: string, subresource: string): boolean =>
  resources.some((wanted) => {
    const [name, sub = ""] = wanted.split("/")
    return (name === "*" || name === resource) && (sub === "*" || sub === subresource)
  })

/** Whether a rule of a configuration is about requests of a definition. */
export const ruleMatches = (rule: Fields, operation: string, definition: Definition, subresource: string): boolean => {
  const scope = textOf(rule["scope"])
  return (
    hasOrAll(textsOf(rule["operations"]), operation) &&
    hasOrAll(textsOf(rule["apiGroups"]), definition.group) &&
    hasOrAll(textsOf(rule["apiVersions"]), definition.version) &&
    resourceMatches(textsOf(rule["resources"]), definition.resource, subresource) &&
    (scope === "" || scope === "*" || (scope === "Namespaced") === isNamespaced(definition))
  )
}

// A namespace lies in no namespace, though its name is in the request's.
const isNamespaced = ({ namespaced }: Definition): boolean => namespaced

/** The webhooks of one kind of configuration. */
export class Hooks {
  private readonly api: Api
  private readonly configurations: ResourceView
  private readonly namespaces: ResourceView
  private hooks: ReadonlyArray<Hook> | undefined

  constructor(api: Api, resource: "mutatingwebhookconfigurations" | "validatingwebhookconfigurations") {
    this.api = api
    this.configurations = api.view(GROUP, resource)
    this.namespaces = api.view("", "namespaces")
    this.configurations.onChange(() => (this.hooks = undefined))
  }

  /** All webhooks, by configuration and then in its order. */
  private all(): ReadonlyArray<Hook> {
    // A view that is not read whole yet tells of each object as it comes.
    this.hooks ??= this.configurations
      .list("")
      .flatMap((configuration) => itemsOf(configuration["webhooks"]).map((hook) => hookOf(configuration, hook)))
    return this.hooks
  }

  get isEmpty(): boolean {
    return this.all().length === 0
  }

  /** Those that want to hear of a request, in order. Configurations of admission themselves are nobody's to stop. */
  wanting(admission: AdmissionRequest): ReadonlyArray<Wanted> {
    const hooks = this.all()
    if (hooks.length === 0 || admission.definition.group === GROUP) return []
    return hooks.flatMap((hook) => {
      const definition = this.matched(hook, admission)
      return definition === undefined || !this.isSelected(hook, admission) ? [] : [{ hook, definition }]
    })
  }

  private matched(
    { equivalent, rules }: Hook,
    { definition, operation, request }: AdmissionRequest
  ): Definition | undefined {
    const matches = (one: Definition): boolean =>
      rules.some((rule) => ruleMatches(rule, operation, one, request.subresource))
    if (matches(definition)) return definition
    if (!equivalent || definition.storage === undefined) return undefined
    const { prefix } = definition.storage
    return this.api.definitions
      .all()
      .find((one) => one !== definition && one.storage?.prefix === prefix && matches(one))
  }

  private isSelected({ namespaces, objects }: Hook, admission: AdmissionRequest): boolean {
    const { definition, object, oldObject, request } = admission
    const isNamespace = definition.group === "" && definition.resource === "namespaces"
    if (isNamespace || definition.namespaced) {
      const held = isNamespace ? (object ?? oldObject) : this.namespaces.get("", request.namespace)
      if (!namespaces.matches(held?.metadata.labels)) return false
    }
    return (
      (object !== undefined && objects.matches(object.metadata.labels)) ||
      (oldObject !== undefined && objects.matches(oldObject.metadata.labels))
    )
  }
}
