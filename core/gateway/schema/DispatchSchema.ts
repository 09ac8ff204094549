// The schema of dispatch policies and their rules, with the words that `kubectl explain` shows.
// Owns names, types and bounds; what a rule means is policy/DispatchRule.ts.
import { SchemaParts } from "#apiserver"
import type { JsonObject } from "#kube"

const { choice, flag, integer, listOf, struct, text, texts } = SchemaParts

const NEGATION =
  'An item with "-" before it is one that must not be; a list of such items matches what none of them names.'
const PREFIX = 'An item that ends in "*" is a prefix.'

const ruleSchema = struct("Matches a request when all of its fields do.", {
  verbs: texts(`Verbs in lower case; "*" is every one, and an empty list none. ${NEGATION}`),
  apiGroups: texts(`API groups; "" is the core group, "*" every one, and an empty list none. ${NEGATION}`),
  resources: texts(
    `Resources; "pods/log" is a subresource, "*/log" that of every resource, "*" everything, an empty list nothing. ${NEGATION}`
  ),
  resourceNames: texts(`Names; "" is a request without one. An empty list matches all. ${NEGATION}`),
  users: texts(`User names. An empty list matches all, unless service accounts are listed. ${PREFIX} ${NEGATION}`),
  serviceAccounts: listOf(
    "Service accounts; one of these or of the users must be the requester.",
    struct("", { namespace: text("The namespace of the service account."), name: text("Its name.") })
  ),
  userGroups: texts(`Groups of the user, of which one must be listed. An empty list matches all. ${NEGATION}`),
  nonResourceURLs: texts(`Paths of requests that are for no resource; an empty list matches none. ${PREFIX}`),
  namespaces: texts(
    `Namespaces of resources; "" is a request outside of any. An empty list matches all. ${PREFIX} ${NEGATION}`
  ),
  userAgents: texts(`User-Agent headers. An empty list matches all. ${PREFIX} ${NEGATION}`),
  sourceCIDRs: texts(`Addresses of clients, like 10.0.0.0/8. An empty list matches all. ${NEGATION}`),
  labelSelectors: texts(
    `What the request selects labels by, as "key" or "key=value"; "" is a request without a label selector. An empty list matches all. ${NEGATION}`
  ),
  fieldSelectors: texts(
    `What the request selects fields by, as "spec.nodeName" or "spec.nodeName=n1"; "" is a request without a field selector. An empty list matches all. ${NEGATION}`
  ),
  resourceVersions: texts(
    `The resourceVersion that is asked for; "0" is a read from the cache, "" a consistent one. An empty list matches all. ${NEGATION}`
  ),
  longRunning: flag("Only watches, logs, exec and their like (true), or only what is none of these (false)."),
  percentage: integer("How many of a hundred such requests match; 100 by default.", { min: 0, max: 100 })
})

const strategies = ["", "RoundRobin", "LeastInflight", "PowerOfTwoChoices"]
const LOG_MODES = ["", "on", "off"]

const policyFields: JsonObject = {
  strategy: choice("How an endpoint is chosen; RoundRobin by default.", strategies),
  upstreamSubset: texts("Endpoints that may be chosen, as they stand in spec.servers; empty: all."),
  flowControlSchemaName: text("The flow control that requests pass through; empty: none."),
  logMode: choice("Whether requests are written to the access log: on, off, or as spec.logging says.", LOG_MODES)
}

/** spec.dispatchPolicies, spec.defaultDispatchPolicy and spec.logging. */
export const dispatchFields: JsonObject = {
  dispatchPolicies: listOf(
    "What is done with which requests: the first policy of which a rule matches decides.",
    struct("", { ...policyFields, rules: listOf("One of these must match.", ruleSchema) })
  ),
  defaultDispatchPolicy: struct(
    "What is done with requests that no policy matches; without it they are refused.",
    policyFields
  ),
  logging: struct("The cluster's switch of the access log.", {
    mode: choice("off overrules every policy; on applies where a policy says nothing.", LOG_MODES)
  })
}
