// Random rules and random requests over a small world, so that they meet often. Owns no judgement.
import * as fc from "fast-check"
import { requestInfo, RequestInfoInvalid } from "#kube"
import { type DispatchRule, emptyRule, type RequestFacts } from "#gateway"

const verbs = ["get", "list", "watch", "create", "delete"]
const groups = ["", "apps", "batch"]
const resources = ["pods", "deployments", "jobs"]
const subresources = ["log", "status", "exec"]
const names = ["a", "b"]
const namespaces = ["team-a", "team-b", "kube-system"]
const users = ["alice", "bob", "system:node:n1", "system:node:n2", "system:serviceaccount:team-a:sa"]
const userGroups = ["system:masters", "system:authenticated", "dev"]
const paths = ["/healthz", "/healthz/etcd", "/api", "/version"]
const agents = ["kubectl/v1.37", "kubelet/v1.37", ""]
const addresses = ["10.0.0.1", "10.1.0.1", "192.168.3.4", "fd00::1", "::ffff:10.0.0.1"]
const labelSelectors = ["", "app=web", "app in (web,db)", "!canary", "app=web,tier=front"]
const fieldSelectors = ["", "metadata.name=a", "spec.nodeName=n1", "status.phase!=Failed"]
const versions = ["", "0", "17"]

/** A list as people write them: items, negated items, both, stars. */
const listOf = (items: ReadonlyArray<string>): fc.Arbitrary<ReadonlyArray<string>> => {
  const item = fc.constantFrom(...items)
  return fc.oneof(
    { weight: 4, arbitrary: fc.array(item, { maxLength: 3 }) },
    {
      weight: 2,
      arbitrary: fc.array(
        item.map((one) => `-${one}`),
        { minLength: 1, maxLength: 3 }
      )
    },
    {
      weight: 1,
      arbitrary: fc.array(
        fc.oneof(
          item,
          item.map((one) => `-${one}`)
        ),
        { maxLength: 3 }
      )
    },
    { weight: 2, arbitrary: fc.constant(["*"]) },
    { weight: 1, arbitrary: fc.array(item, { maxLength: 2 }).map((list) => [...list, "*"]) }
  )
}

const mostly = <A>(usual: A, other: fc.Arbitrary<A>): fc.Arbitrary<A> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other })

/** Rules in the fields that the original has too. */
export const originalRule: fc.Arbitrary<DispatchRule> = fc
  .record({
    verbs: fc.oneof(fc.constant(["*"]), listOf(verbs)),
    apiGroups: fc.oneof(fc.constant(["*"]), listOf(groups)),
    resources: fc.oneof(
      fc.constant(["*"]),
      listOf([...resources, "pods/log", "deployments/status", "*/log", "*/status", "pods/*"])
    ),
    resourceNames: mostly<ReadonlyArray<string>>([], listOf([...names, ""])),
    users: mostly<ReadonlyArray<string>>([], listOf([...users, "system:node:*", "a*"])),
    serviceAccounts: mostly<DispatchRule["serviceAccounts"]>(
      [],
      fc.array(
        fc.record({ namespace: fc.constantFrom("team-a", "team-b", ""), name: fc.constantFrom("sa", "other", "") }),
        { minLength: 1, maxLength: 2 }
      )
    ),
    userGroups: mostly<ReadonlyArray<string>>([], listOf(userGroups)),
    nonResourceURLs: fc.oneof(fc.constant([]), listOf([...paths, "/healthz*", "/api**"]))
  })
  .map((fields) => ({ ...emptyRule, ...fields }))

/** Rules in all fields. */
export const anyRule: fc.Arbitrary<DispatchRule> = fc
  .tuple(
    originalRule,
    fc.record({
      namespaces: mostly<ReadonlyArray<string>>([], listOf([...namespaces, "", "team-*"])),
      userAgents: mostly<ReadonlyArray<string>>([], listOf([...agents, "kubectl*"])),
      sourceCIDRs: mostly<ReadonlyArray<string>>([], listOf(["10.0.0.0/8", "10.1.0.1", "fd00::/8", "0.0.0.0/0", "no"])),
      labelSelectors: mostly<ReadonlyArray<string>>([], listOf(["", "app", "app=web", "canary", "tier"])),
      fieldSelectors: mostly<ReadonlyArray<string>>([], listOf(["", "metadata.name", "spec.nodeName=n1"])),
      resourceVersions: mostly<ReadonlyArray<string>>([], listOf(versions)),
      longRunning: mostly<boolean | undefined>(undefined, fc.boolean()),
      percentage: mostly(100, fc.integer({ min: 0, max: 100 }))
    })
  )
  .map(([rule, fields]) => ({ ...rule, ...fields }))

const methods: Readonly<Record<string, string>> = {
  get: "GET",
  list: "GET",
  watch: "GET",
  create: "POST",
  delete: "DELETE"
}

const target = fc.oneof(
  { weight: 1, arbitrary: fc.record({ method: fc.constantFrom("GET", "POST"), path: fc.constantFrom(...paths, "/") }) },
  {
    weight: 4,
    arbitrary: fc
      .record({
        verb: fc.constantFrom(...verbs),
        group: fc.constantFrom(...groups),
        resource: fc.constantFrom(...resources),
        namespace: fc.constantFrom("", ...namespaces),
        name: fc.constantFrom(...names),
        subresource: fc.constantFrom("", "", ...subresources),
        labels: fc.constantFrom(...labelSelectors),
        fields: fc.constantFrom(...fieldSelectors),
        version: fc.constantFrom(...versions)
      })
      .map(({ fields, group, labels, name, namespace, resource, subresource, verb, version }) => {
        const root = group === "" ? "/api/v1" : `/apis/${group}/v1`
        const scope = namespace === "" ? "" : `/namespaces/${namespace}`
        const isCollection = verb === "list" || verb === "watch"
        const own = isCollection ? "" : `/${name}${subresource === "" ? "" : `/${subresource}`}`
        const query = [
          ...(verb === "watch" ? ["watch=1"] : []),
          ...(labels === "" ? [] : [`labelSelector=${encodeURIComponent(labels)}`]),
          ...(fields === "" ? [] : [`fieldSelector=${encodeURIComponent(fields)}`]),
          ...(version === "" ? [] : [`resourceVersion=${version}`])
        ].join("&")
        return {
          method: methods[verb] ?? "GET",
          path: `${root}${scope}/${resource}${own}${query === "" ? "" : `?${query}`}`
        }
      })
  }
)

/** A request as the data path describes it to policies. */
export const anyRequest: fc.Arbitrary<RequestFacts> = fc
  .record({
    target,
    name: fc.constantFrom(...users),
    groups: fc.subarray(userGroups),
    userAgent: fc.constantFrom(...agents),
    sourceIp: fc.constantFrom(...addresses),
    draw: fc.integer({ min: 0, max: 999 }).map((thousandth) => thousandth / 1000)
  })
  .map(({ draw, groups, name, sourceIp, target, userAgent }) =>
    factsOf(target.method, target.path, { draw, sourceIp, userAgent, user: { name, groups } })
  )

/** The facts of a request line. */
export const factsOf = (
  method: string,
  path: string,
  rest: Partial<Omit<RequestFacts, "info" | "query">> = {}
): RequestFacts => {
  const info = requestInfo(method, path)
  if (info instanceof RequestInfoInvalid) throw info
  const mark = path.indexOf("?")
  return {
    info,
    query: mark < 0 ? "" : path.slice(mark + 1),
    user: { name: "alice", groups: ["system:authenticated"] },
    userAgent: "kubectl/v1.37",
    sourceIp: "10.0.0.1",
    draw: 0,
    ...rest
  }
}
