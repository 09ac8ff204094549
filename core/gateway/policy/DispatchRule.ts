// One rule of a dispatch policy: lists of which each must agree with the request. What a list means stands in its field's comment:
// "*" is everything; what is left after a "-" is what it is not, and a list of such items agrees when none of them covers the request;
// beside an item without "-" those with one are ignored, as the original API's admission drops them.
// Owns the shape; refuses evaluation (ReferenceEvaluator.ts says what is right, RuleIndex.ts does it fast).

export interface ServiceAccountRef {
  readonly namespace: string
  readonly name: string
}

export interface DispatchRule {
  /** Empty: no verb. */
  readonly verbs: ReadonlyArray<string>
  /** Of resources; the core group is "". Empty: none. */
  readonly apiGroups: ReadonlyArray<string>
  /** "pods", "pods/log", or a star, a slash and a subresource for that of every resource. Empty: none. */
  readonly resources: ReadonlyArray<string>
  /** Empty: all, those of requests without a name too, whose name is "". */
  readonly resourceNames: ReadonlyArray<string>
  /** With a trailing "*" a prefix. Empty: all, but none where service accounts are listed. */
  readonly users: ReadonlyArray<string>
  /** Beside `users`: one of the two must agree. One without a namespace or a name covers nobody. */
  readonly serviceAccounts: ReadonlyArray<ServiceAccountRef>
  /** Covers who is in the group. Empty: all. */
  readonly userGroups: ReadonlyArray<string>
  /** Paths of requests that are not for resources; with a trailing "*" a prefix. Items with "-" cover nothing. Empty: none. */
  readonly nonResourceURLs: ReadonlyArray<string>
  /** Of resources, with a trailing "*" a prefix; "" is what is in no namespace, and lists over all. Empty: all. */
  readonly namespaces: ReadonlyArray<string>
  /** With a trailing "*" a prefix. Empty: all. */
  readonly userAgents: ReadonlyArray<string>
  /** Addresses of clients, like "10.0.0.0/8" or "fd00::/8". Empty: all. */
  readonly sourceCIDRs: ReadonlyArray<string>
  /** Requirements of the request's label selector, as a key or "key=value"; "" is a request that has none. Empty: all. */
  readonly labelSelectors: ReadonlyArray<string>
  /** The same of its field selector. */
  readonly fieldSelectors: ReadonlyArray<string>
  /** The resource version that the request asks for: "0" is whatever is at hand, "" the newest. Empty: all. */
  readonly resourceVersions: ReadonlyArray<string>
  /** Undefined: both. */
  readonly longRunning: boolean | undefined
  /** How many of a hundred requests that agree with all else, 0 to 100. */
  readonly percentage: number
}

/** The fields that are lists of texts. */
export type ListField = {
  readonly [Field in keyof DispatchRule]: DispatchRule[Field] extends ReadonlyArray<string> ? Field : never
}[keyof DispatchRule]

/** In the order of the manifest's documentation. */
export const listFields: ReadonlyArray<ListField> = [
  "verbs",
  "apiGroups",
  "resources",
  "resourceNames",
  "users",
  "userGroups",
  "nonResourceURLs",
  "namespaces",
  "userAgents",
  "sourceCIDRs",
  "labelSelectors",
  "fieldSelectors",
  "resourceVersions"
]

/** The fields that KubeGateway's rules do not have, where a rule does not speak of them: they agree with every request. */
export const unsaid = {
  namespaces: [],
  userAgents: [],
  sourceCIDRs: [],
  labelSelectors: [],
  fieldSelectors: [],
  resourceVersions: [],
  longRunning: undefined,
  percentage: 100
} satisfies Partial<DispatchRule>

/** A rule that says nothing: it agrees with no request. */
export const emptyRule: DispatchRule = {
  verbs: [],
  apiGroups: [],
  resources: [],
  resourceNames: [],
  users: [],
  serviceAccounts: [],
  userGroups: [],
  nonResourceURLs: [],
  ...unsaid
}

/** Whether an item says what is not to be. */
export const isNegated = (item: string): boolean => item.startsWith("-")

/** What stands before the stars at an item's end, where it ends in one. */
export const prefixOf = (item: string): string | undefined =>
  item.endsWith("*") ? item.replace(/\*+$/, "") : undefined

/** The user name of a service account. */
export const serviceAccountUser = ({ name, namespace }: ServiceAccountRef): string =>
  `system:serviceaccount:${namespace}:${name}`
