// Random sequences of creates, updates and patches of all four types by several managers, on a real kube-apiserver: after each the
// object and its managers must be those that ours computes from the object before. The seed is printed; SEED and STEPS replay and
// lengthen a run.
//
// Accepted differences, each with its reason:
// - fields that the server fills in (defaults of Go code, allocations, admission) are not ours: they are listed in `filled`;
// - times of managers, resourceVersion, uid and generation are the server's own;
// - the causes of a conflict come in the order of a Go map, so lines are compared sorted.
import { afterAll, assert, beforeAll, it } from "vitest"
import {
  ApiFailure,
  applyJsonPatch,
  applyMergePatch,
  applyPatch,
  applyStrategicMergePatch,
  type Json,
  type JsonObject,
  type KubeObject,
  type ManagedFieldsEntry,
  type Patch,
  prune,
  resetFieldsOf,
  type Schema,
  sameJson,
  schemaNamed,
  schemaOfKind,
  updateManagers
} from "#kube"
import { describeWith } from "../Judges.ts"
import { type RealApiServer, startApiServer } from "./RealApiServer.ts"
import { runSeed } from "../Seed.ts"

const builtIn = (group: string, version: string, kind: string): Schema => {
  const schema = schemaOfKind(group, version, kind)
  assert(schema !== undefined)
  return schema
}

/** Numbers of a seed (mulberry32). */
const randomOf = (seed: number) => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  const pick = <A>(items: ReadonlyArray<A>): A => items[below(items.length)]
  const some = <A>(items: ReadonlyArray<A>, chance: number): Array<A> => items.filter(() => next() < chance)
  return { next, below, pick, some }
}
type Random = ReturnType<typeof randomOf>

interface Subject {
  readonly title: string
  readonly apiVersion: string
  readonly kind: string
  readonly collection: string
  readonly resource: string
  readonly schema: Schema
  readonly hasStatus: boolean
  readonly custom: boolean
  /** Fields that the server fills in where they are missing, by name. */
  readonly filled: ReadonlySet<string>
  /** Takes from a created object what strategies and admission put there after managers were counted. */
  readonly beforeStrategy: (object: JsonObject, body: JsonObject) => JsonObject
  /** A configuration to apply; `whole` has all that a create needs. */
  readonly config: (random: Random, whole: boolean) => JsonObject
  readonly status?: (random: Random) => JsonObject
}

const fields = (...entries: ReadonlyArray<readonly [string, Json | undefined]>): JsonObject =>
  Object.fromEntries(entries.filter(([, value]) => value !== undefined))

const maybe = <A>(random: Random, chance: number, value: () => A): A | undefined =>
  random.next() < chance ? value() : undefined

const texts = (random: Random, names: ReadonlyArray<string>): JsonObject =>
  Object.fromEntries(random.some(names, 0.5).map((name) => [name, random.pick(["1", "2", "3"])]))

const meta = (random: Random): ReadonlyArray<readonly [string, Json | undefined]> => [
  ["labels", maybe(random, 0.6, () => ({ app: "a", ...texts(random, ["l1", "l2", "l3"]) }))],
  ["annotations", maybe(random, 0.5, () => texts(random, ["a1", "a2"]))],
  ["finalizers", maybe(random, 0.2, () => random.some(["test.io/x", "test.io/y"], 0.6))]
]

const container = (random: Random, name: string, whole: boolean): JsonObject =>
  fields(
    ["name", name],
    ["image", maybe(random, whole ? 1 : 0.7, () => random.pick(["i:1", "i:2"]))],
    [
      "env",
      maybe(random, 0.5, () =>
        random.some(["E1", "E2", "E3"], 0.6).map((name) => ({ name, value: random.pick(["1", "2"]) }))
      )
    ],
    [
      "ports",
      maybe(random, 0.4, () =>
        random
          .some([80, 81, 82], 0.6)
          .map((containerPort) =>
            fields(
              ["containerPort", containerPort],
              ["protocol", maybe(random, 0.5, () => "TCP")],
              ["name", maybe(random, 0.5, () => `p${containerPort}`)]
            )
          )
      )
    ],
    ["args", maybe(random, 0.3, () => random.some(["x", "y"], 0.6))],
    ["resources", maybe(random, 0.3, () => ({ requests: { cpu: random.pick(["1", "2"]) } }))]
  )

const podSpec = (random: Random, whole: boolean): JsonObject =>
  fields(
    [
      "containers",
      random
        .some(["a", "b", "c"], 0.5)
        .concat(whole ? ["z"] : [])
        .map((name) => container(random, name, whole))
    ],
    ["nodeSelector", maybe(random, 0.3, () => texts(random, ["n1", "n2"]))],
    ["tolerations", maybe(random, 0.3, () => [{ key: random.pick(["t1", "t2"]), operator: "Exists" }])],
    ["volumes", maybe(random, 0.4, () => random.some(["v1", "v2"], 0.7).map((name) => ({ name, emptyDir: {} })))]
  )

const podDefaults = [
  "lastProbeTime",
  "lastTransitionTime",
  "lastUpdateTime",
  "podIPs",
  "terminationMessagePath",
  "terminationMessagePolicy",
  "imagePullPolicy",
  "protocol",
  "resources",
  "restartPolicy",
  "dnsPolicy",
  "securityContext",
  "schedulerName",
  "terminationGracePeriodSeconds",
  "enableServiceLinks",
  "tolerations",
  "priority",
  "preemptionPolicy",
  "status",
  "creationTimestamp",
  "volumes"
]

const omit = (object: JsonObject, ...names: ReadonlyArray<string>): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))

const deployment: Subject = {
  title: "deployments",
  apiVersion: "apps/v1",
  kind: "Deployment",
  collection: "/apis/apps/v1/namespaces/default/deployments",
  resource: "deployments.apps",
  schema: builtIn("apps", "v1", "Deployment"),
  hasStatus: true,
  custom: false,
  filled: new Set([
    ...podDefaults,
    "strategy",
    "rollingUpdate",
    "type",
    "revisionHistoryLimit",
    "progressDeadlineSeconds",
    "replicas",
    "maxSurge",
    "maxUnavailable"
  ]),
  beforeStrategy: (object) => object,
  config: (random, whole) => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: fields(...meta(random)),
    spec: fields(
      ["replicas", maybe(random, 0.5, () => random.below(3))],
      ["selector", whole ? { matchLabels: { app: "a" } } : undefined],
      ["paused", maybe(random, 0.2, () => true)],
      [
        "strategy",
        maybe(random, 0.2, () => ({ type: "RollingUpdate", rollingUpdate: { maxSurge: random.pick([1, "25%"]) } }))
      ],
      [
        "template",
        maybe(random, whole ? 1 : 0.7, () => ({ metadata: { labels: { app: "a" } }, spec: podSpec(random, whole) }))
      ]
    )
  }),
  status: (random) => ({
    status: fields(
      ["replicas", 1 + random.below(3)],
      ["observedGeneration", maybe(random, 0.5, () => 1)],
      [
        "conditions",
        random.some(["Available", "Progressing"], 0.6).map((type) => ({ type, status: random.pick(["True", "False"]) }))
      ]
    )
  })
}

const pod: Subject = {
  title: "pods",
  apiVersion: "v1",
  kind: "Pod",
  collection: "/api/v1/namespaces/default/pods",
  resource: "pods",
  schema: builtIn("", "v1", "Pod"),
  hasStatus: true,
  custom: false,
  filled: new Set(podDefaults),
  beforeStrategy: (object, body) => {
    const spec = object["spec"] as JsonObject
    const asked = (body["spec"] ?? {}) as JsonObject
    const rest = omit(spec, "priority", "preemptionPolicy", "tolerations")
    return {
      ...object,
      status: {},
      spec: asked["tolerations"] === undefined ? rest : { ...rest, tolerations: asked["tolerations"] }
    }
  },
  config: (random, whole) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: fields(...meta(random)),
    ...(whole ? { spec: podSpec(random, true) } : {})
  }),
  status: (random) => ({
    status: fields(
      ["phase", random.pick(["Pending", "Running"])],
      ["podIP", maybe(random, 0.5, () => "10.1.1.1")],
      [
        "conditions",
        random.some(["Ready", "Initialized"], 0.6).map((type) => ({ type, status: random.pick(["True", "False"]) }))
      ]
    )
  })
}

const service: Subject = {
  title: "services",
  apiVersion: "v1",
  kind: "Service",
  collection: "/api/v1/namespaces/default/services",
  resource: "services",
  schema: builtIn("", "v1", "Service"),
  hasStatus: true,
  custom: false,
  filled: new Set([
    "clusterIP",
    "clusterIPs",
    "ipFamilies",
    "ipFamilyPolicy",
    "type",
    "sessionAffinity",
    "internalTrafficPolicy",
    "protocol",
    "targetPort",
    "status",
    "loadBalancer"
  ]),
  beforeStrategy: (object) => ({
    ...object,
    spec: omit(object["spec"] as JsonObject, "clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
  }),
  config: (random, whole) => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: fields(...meta(random)),
    spec: fields(
      ["selector", maybe(random, 0.5, () => texts(random, ["s1", "s2"]))],
      ["publishNotReadyAddresses", maybe(random, 0.3, () => true)],
      [
        "ports",
        maybe(random, whole ? 1 : 0.6, () =>
          random
            .some([80, 81, 82], 0.5)
            .concat(whole ? [90] : [])
            .map((port) =>
              fields(
                ["port", port],
                ["name", `p${port}`],
                ["targetPort", maybe(random, 0.5, () => random.pick([8080, "http"]))]
              )
            )
        )
      ]
    )
  })
}

const configMap: Subject = {
  title: "configmaps",
  apiVersion: "v1",
  kind: "ConfigMap",
  collection: "/api/v1/namespaces/default/configmaps",
  resource: "configmaps",
  schema: builtIn("", "v1", "ConfigMap"),
  hasStatus: false,
  custom: false,
  filled: new Set(),
  beforeStrategy: (object) => object,
  config: (random) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: fields(...meta(random)),
    ...fields(
      ["data", maybe(random, 0.8, () => texts(random, ["d1", "d2", "d3", "d4"]))],
      ["binaryData", maybe(random, 0.2, () => ({ b: "aGk=" }))]
    )
  })
}

const widgetSpec = {
  type: "object",
  properties: {
    size: { type: "integer" },
    port: { "x-kubernetes-int-or-string": true },
    tags: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
    plain: { type: "array", items: { type: "string" } },
    parts: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name", "zone"],
      items: {
        type: "object",
        required: ["name"],
        properties: {
          name: { type: "string" },
          zone: { type: "string", default: "z" },
          weight: { type: "integer" },
          inner: { type: "object", additionalProperties: { type: "string" } }
        }
      }
    },
    whole: {
      type: "object",
      "x-kubernetes-map-type": "atomic",
      properties: { a: { type: "string" }, b: { type: "string" } }
    },
    free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    deep: { type: "object", properties: { x: { type: "object", properties: { y: { type: "string" } } } } }
  }
} as const

const definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.test.example.com" },
  spec: {
    group: "test.example.com",
    scope: "Namespaced",
    names: { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: { spec: widgetSpec, status: { type: "object", "x-kubernetes-preserve-unknown-fields": true } }
          }
        }
      }
    ]
  }
}

interface Structural {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Structural>>
  readonly items?: Structural
  readonly additionalProperties?: Structural
  readonly default?: Json
  readonly required?: ReadonlyArray<string>
  readonly [extension: `x-kubernetes-${string}`]: unknown
}

const schemaOf = (from: Structural): Schema => ({
  type: from["x-kubernetes-int-or-string"] === true ? "int-or-string" : (from.type as Schema["type"]),
  ...(from.properties === undefined
    ? {}
    : { fields: new Map(Object.entries(from.properties).map(([name, field]) => [name, schemaOf(field)])) }),
  ...(from.items === undefined ? {} : { items: schemaOf(from.items) }),
  ...(from.additionalProperties === undefined ? {} : { values: schemaOf(from.additionalProperties) }),
  ...(from.default === undefined ? {} : { default: from.default }),
  ...(from["x-kubernetes-list-type"] === undefined
    ? {}
    : { listType: from["x-kubernetes-list-type"] as "set" | "map" }),
  ...(from["x-kubernetes-list-map-keys"] === undefined
    ? {}
    : { listMapKeys: from["x-kubernetes-list-map-keys"] as ReadonlyArray<string> }),
  ...(from["x-kubernetes-map-type"] === undefined ? {} : { mapType: "atomic" as const }),
  ...(from["x-kubernetes-preserve-unknown-fields"] === true ? { preserveUnknownFields: true } : {})
})

const widget: Subject = {
  title: "custom resources",
  apiVersion: "test.example.com/v1",
  kind: "Widget",
  collection: "/apis/test.example.com/v1/namespaces/default/widgets",
  resource: "widgets.test.example.com",
  schema: {
    type: "object",
    fields: new Map<string, Schema>([
      ["apiVersion", { type: "string" }],
      ["kind", { type: "string" }],
      ["metadata", schemaNamed("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")!],
      ["spec", schemaOf(widgetSpec)],
      ["status", { type: "object", preserveUnknownFields: true }]
    ])
  },
  hasStatus: true,
  custom: true,
  filled: new Set(["zone"]),
  beforeStrategy: (object) => object,
  config: (random) => ({
    apiVersion: "test.example.com/v1",
    kind: "Widget",
    metadata: fields(...meta(random)),
    spec: fields(
      ["size", maybe(random, 0.5, () => random.below(3))],
      ["port", maybe(random, 0.4, () => random.pick([1, "http"]))],
      ["tags", maybe(random, 0.5, () => random.some(["a", "b", "c", "d"], 0.5))],
      ["plain", maybe(random, 0.4, () => random.some(["a", "b"], 0.5))],
      [
        "parts",
        maybe(random, 0.6, () =>
          random
            .some(["p", "q", "r"], 0.6)
            .map((name) =>
              fields(
                ["name", name],
                ["zone", maybe(random, 0.5, () => random.pick(["z", "y"]))],
                ["weight", maybe(random, 0.6, () => random.below(3))],
                ["inner", maybe(random, 0.5, () => texts(random, ["i1", "i2"]))]
              )
            )
        )
      ],
      ["whole", maybe(random, 0.4, () => texts(random, ["a", "b"]))],
      [
        "free",
        maybe(random, 0.4, () => ({
          k: random.pick<Json>([1, "x", [1, 2], { d: 1 }, { d: 2, e: {} }]),
          ...texts(random, ["m"])
        }))
      ],
      ["deep", maybe(random, 0.4, () => ({ x: fields(["y", maybe(random, 0.7, () => random.pick(["1", "2"]))]) }))]
    )
  }),
  status: (random) => ({
    status: fields(["ready", random.pick([true, false])], ["note", maybe(random, 0.5, () => "n")])
  })
}

const managers = ["kubectl", "m1", "m2", "m3"]

/** Fields that no step takes away. */
const kept: ReadonlySet<string> = new Set([
  "apiVersion",
  "kind",
  "metadata",
  "spec",
  "selector",
  "template",
  "name",
  "namespace",
  "uid",
  "resourceVersion",
  "creationTimestamp",
  "generation",
  "managedFields",
  "containers",
  "ports",
  "clusterIP",
  "clusterIPs",
  "ipFamilies"
])

/** A merge patch that leads from one object to another, sometimes in part. */
const difference = (random: Random, from: JsonObject, to: JsonObject): JsonObject => {
  const out: Record<string, Json> = {}
  for (const name of new Set([...Object.keys(from), ...Object.keys(to)])) {
    if (random.next() < 0.3) continue
    const [held, wanted] = [from[name], to[name]]
    if (wanted === undefined) {
      if (!kept.has(name) && random.next() < 0.3) out[name] = null
    } else if (isObject(held) && isObject(wanted)) out[name] = difference(random, held, wanted)
    else out[name] = wanted
  }
  return out
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const withoutManagers = (object: JsonObject): JsonObject => ({
  ...object,
  metadata: omit(
    object["metadata"] as JsonObject,
    "managedFields",
    "resourceVersion",
    "generation",
    "uid",
    "creationTimestamp"
  )
})

/** Where ours is not what the server has: fields that only the server has must be ones that it fills in. */
const differs = (
  subject: Subject,
  ours: Json | undefined,
  real: Json | undefined,
  path: string
): string | undefined => {
  if (isObject(ours) && isObject(real)) {
    for (const name of new Set([...Object.keys(ours), ...Object.keys(real)])) {
      if (ours[name] === undefined && (subject.filled.has(name) || real[name] === undefined)) continue
      const found = differs(subject, ours[name], real[name], `${path}.${name}`)
      if (found !== undefined) return found
    }
    return undefined
  }
  if (Array.isArray(ours) && Array.isArray(real) && ours.length === real.length) {
    for (const [at, item] of ours.entries()) {
      const found = differs(subject, item as Json, real[at] as Json, `${path}[${at}]`)
      if (found !== undefined) return found
    }
    return undefined
  }
  return sameJson(ours, real) ? undefined : `${path}: ours ${JSON.stringify(ours)}, theirs ${JSON.stringify(real)}`
}

const sortedKeys = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sortedKeys)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, field]) => [name, sortedKeys(field)])
  )
}

const timeless = (object: KubeObject): ReadonlyArray<string> =>
  (object.metadata.managedFields ?? [])
    .map((entry: ManagedFieldsEntry) => JSON.stringify(sortedKeys(omit(entry as unknown as JsonObject, "time"))))
    .toSorted()

const lines = (text: string): ReadonlyArray<string> => text.split("\n").toSorted()

interface Step {
  readonly what: string
  readonly manager: string
  readonly subresource: string
  readonly body: Json
  readonly force: boolean
}

const steps = ["apply", "apply", "apply", "force", "update", "json", "merge", "strategic", "status"] as const

const stepOf = (subject: Subject, random: Random, live: KubeObject): Step => {
  const what = random.pick(steps)
  const manager = random.pick(managers)
  const wanted = subject.config(random, false)
  const held = live as unknown as JsonObject
  const base = { manager, subresource: "", force: false }
  if (what === "apply" || what === "force") return { ...base, what: "apply", body: wanted, force: what === "force" }
  if (what === "status") {
    if (subject.status === undefined) return { ...base, what: "merge", body: difference(random, held, wanted) }
    return { ...base, what: "merge", subresource: "status", body: subject.status(random) }
  }
  if (what === "update") return { ...base, what, body: applyMergePatch(held, difference(random, held, wanted)) }
  if (what === "json") return { ...base, what, body: jsonSteps(random) }
  if (what === "strategic" && !subject.custom) return { ...base, what, body: difference(random, held, wanted) }
  return { ...base, what: "merge", body: difference(random, held, wanted) }
}

const jsonSteps = (random: Random): ReadonlyArray<JsonObject> =>
  random.some<JsonObject>(
    [
      { op: "add", path: "/metadata/labels", value: { app: "a", j: "1" } },
      { op: "replace", path: "/metadata/labels/l1", value: "j" },
      { op: "remove", path: "/metadata/annotations" },
      { op: "test", path: "/metadata/labels/app", value: "a" },
      { op: "copy", from: "/metadata/labels/app", path: "/metadata/labels/copied" }
    ],
    0.5
  )

const types: Readonly<Record<string, string>> = {
  apply: "application/apply-patch+yaml",
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json"
}

const patched = (subject: Subject, step: Step, live: JsonObject): Json | ApiFailure => {
  switch (step.what as Patch["type"] | "update") {
    case "json":
      return applyJsonPatch(live, step.body)
    case "merge":
      return applyMergePatch(live, step.body)
    case "strategic":
      return applyStrategicMergePatch(subject.schema, live, step.body)
    default:
      return step.body
  }
}

const seed = runSeed()
const count = Number(process.env["STEPS"] ?? 150)

describeWith("etcd", "kube-apiserver")(`patches on a real kube-apiserver (SEED=${seed})`, (programs) => {
  let server: RealApiServer
  beforeAll(async () => {
    server = await startApiServer(programs)
    const json = { "content-type": "application/json" }
    const made = await server.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
      headers: json,
      body: JSON.stringify(definition)
    })
    assert.strictEqual(made.code, 201, made.body)
    for (let attempt = 0; attempt < 100; attempt++) {
      if ((await server.call("GET", widget.collection)).code === 200) return
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })
  afterAll(() => server.stop())

  const send = (subject: Subject, name: string, step: Step) => {
    const query = `fieldManager=${step.manager}${step.force ? "&force=true" : ""}`
    const path = `${subject.collection}/${name}${step.subresource === "" ? "" : `/${step.subresource}`}?${query}`
    const type = types[step.what] ?? "application/json"
    return server.call(step.what === "update" ? "PUT" : "PATCH", path, {
      headers: { "content-type": type },
      body: JSON.stringify(step.body)
    })
  }

  const context = (subject: Subject, step: Step) => {
    const reset = resetFieldsOf(subject.resource, step.subresource, subject)
    return {
      schema: subject.schema,
      apiVersion: subject.apiVersion,
      kind: subject.kind,
      manager: step.manager,
      subresource: step.subresource,
      now: 0,
      ...(reset === undefined ? {} : { reset })
    }
  }

  /** One object through one run of steps. */
  const runObject = async (subject: Subject, random: Random, name: string): Promise<number> => {
    const describeStep = (step: Step): string => `${subject.title} ${name}: ${JSON.stringify(step)}`
    const whole = subject.config(random, true)
    const body = { ...whole, metadata: { ...(whole["metadata"] as JsonObject), name, namespace: "default" } }
    const first: Step = {
      what: random.pick(["create", "apply"]),
      manager: random.pick(managers),
      subresource: "",
      body,
      force: false
    }
    const made =
      first.what === "apply"
        ? await send(subject, name, first)
        : await server.call("POST", `${subject.collection}?fieldManager=${first.manager}`, {
            headers: { "content-type": "application/json" },
            body: JSON.stringify(body)
          })
    assert.strictEqual(made.code, 201, `${describeStep(first)}: ${made.body}`)
    let live = JSON.parse(made.body) as KubeObject
    if (first.what === "create") {
      // What the server counted is in its answer; ours counts from the object without it.
      const { managedFields: _, ...metadata } = live.metadata
      const next = subject.beforeStrategy(
        { ...(live as unknown as JsonObject), metadata: metadata as JsonObject },
        body
      )
      const counted = updateManagers({
        ...context(subject, first),
        live: undefined,
        next: next as unknown as KubeObject
      })
      assert.deepEqual(timeless(counted), timeless(live), describeStep(first))
    } else {
      const created = applyPatch({ ...context(subject, first), live: undefined, applied: body, force: false })
      assert(!(created instanceof ApiFailure), describeStep(first))
      assert.deepEqual(timeless(created.object), timeless(live), describeStep(first))
    }
    let compared = 1
    for (let at = 0; at < 12; at++) {
      const step = stepOf(subject, random, live)
      const answer = await send(subject, name, step)
      const where = `${describeStep(step)} on ${JSON.stringify(live)}`
      if (step.what === "apply") {
        const ours = applyPatch({ ...context(subject, step), live, applied: step.body, force: step.force })
        if (ours instanceof ApiFailure) {
          const status = JSON.parse(answer.body)
          assert.strictEqual(ours.code, answer.code, `${where}\nours: ${ours.message}\ntheirs: ${answer.body}`)
          assert.deepEqual(lines(ours.message), lines(status.message), where)
          compared++
          continue
        }
        // What strategies refuse (an empty list of containers) is not ours to know.
        if (answer.code === 422) continue
        assert.isBelow(answer.code, 300, `${where}\n${answer.body}`)
        const real = JSON.parse(answer.body) as KubeObject
        const wrong = differs(
          subject,
          withoutManagers(ours.object as unknown as JsonObject),
          withoutManagers(real as unknown as JsonObject),
          ""
        )
        assert.isUndefined(wrong, `${where}\n${wrong}`)
        assert.deepEqual(timeless(ours.object), timeless(real), where)
        live = real
        compared++
        continue
      }
      const ours = patched(subject, step, live as unknown as JsonObject)
      if (ours instanceof ApiFailure) {
        assert.strictEqual(ours.code, answer.code, `${where}\n${answer.body}`)
        compared++
        continue
      }
      if (answer.code === 422) continue
      assert.isBelow(answer.code, 300, `${where}\n${answer.body}`)
      const real = JSON.parse(answer.body) as KubeObject
      const decoded = prune(subject.schema, ours as JsonObject, { nulls: subject.custom ? "keep" : "drop" })
      const expected =
        step.subresource === "status"
          ? { ...(live as unknown as JsonObject), status: decoded["status"] }
          : subject.hasStatus
            ? { ...decoded, status: (live as unknown as JsonObject)["status"] }
            : decoded
      const wrong = differs(subject, withoutManagers(expected), withoutManagers(real as unknown as JsonObject), "")
      assert.isUndefined(wrong, `${where}\n${wrong}`)
      const { managedFields: _, ...metadata } = real.metadata
      const next = {
        ...real,
        metadata: {
          ...metadata,
          ...(live.metadata.managedFields === undefined ? {} : { managedFields: live.metadata.managedFields })
        }
      }
      const counted = updateManagers({ ...context(subject, step), live, next })
      assert.deepEqual(timeless(counted), timeless(real), where)
      live = real
      compared++
    }
    return compared
  }

  for (const subject of [configMap, deployment, pod, service, widget]) {
    it(subject.title, { timeout: 120_000 }, async () => {
      const random = randomOf(seed ^ subject.title.length)
      let compared = 0
      for (let object = 0; compared < count; object++) compared += await runObject(subject, random, `o${object}`)
      assert.isAtLeast(compared, count)
    })
  }
})
